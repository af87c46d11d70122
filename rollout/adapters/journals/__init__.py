"""Where states and decisions are remembered."""
