"""YAML text to a policy, or every complaint about it. Pure: nothing here opens a file of the repository."""
