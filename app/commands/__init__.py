"""The command line's commands, one file for each group. Each parses, calls once, and reports."""
