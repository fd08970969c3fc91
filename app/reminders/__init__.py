"""Reminders by e-mail: counts of what waits for a role, once a day, to those who asked for them."""
