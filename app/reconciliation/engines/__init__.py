"""Matching engines. `plain` fixes the meaning; any other must agree with it line for line."""
