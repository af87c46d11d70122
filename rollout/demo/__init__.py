"""The DJ App on a real Envoy, with real traffic and a real git repository."""
