"""A seeded world on a virtual clock, its faults, and the referee that watches it."""
