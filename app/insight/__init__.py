"""Measures over approvals and outcomes: charts, and the figures that the worker keeps."""
