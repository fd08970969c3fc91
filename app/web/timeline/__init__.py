"""A patient's timeline on a page: what happened, the scores as courses, and the supplies."""
