"""Reports on pages: who opened records by break-glass, and how often identities were shown."""
