"""Servers that come as source: built from the go.mod of their folder, kept by its content; likewise CRDs."""
