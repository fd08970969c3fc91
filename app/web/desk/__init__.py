"""The reconciliation desk: submissions, runs, lines, challenges, names, slices and lists."""
