"""The overview of what a commissioner pays for: figures, charts and the tables beside them."""
