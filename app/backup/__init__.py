"""Backups of the database and the files with it, and restores held against what was saved."""
