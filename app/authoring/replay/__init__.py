"""Decides stored forms again under another version, by the million, with DuckDB."""
