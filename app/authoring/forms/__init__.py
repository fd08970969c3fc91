"""Brings plain yes/no forms over as draft policies; what a person must decide stays marked."""
