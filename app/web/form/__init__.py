"""A policy's form as pages: what each asks, how it is shown, and what was typed. Pure."""
