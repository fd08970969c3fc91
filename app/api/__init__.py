"""The REST door: JSON in, JSON or problem+json out. One router file for each resource."""
