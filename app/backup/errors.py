"""What can go wrong with a backup or a restore. No message holds a value from a row."""


class BackupRefused(Exception):
    """It cannot be done as asked; nothing was changed."""


class ToolFailed(Exception):
    """A tool of PostgreSQL is not there, or ended with an error."""
