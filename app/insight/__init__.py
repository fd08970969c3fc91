"""Measures over approvals and outcomes: charts' arithmetic, and the figures that the worker keeps."""
