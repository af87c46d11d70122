"""Measured, not claimed: each module is one benchmark, `python -m bench` runs them."""
