"""The bench: what policy authors write, check, prove, compare, replay and publish policies with."""
