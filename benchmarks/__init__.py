"""Benchmarks: ratios against a yardstick, run with `python -m benchmarks`."""
