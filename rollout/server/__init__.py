"""What the daemon serves: its control socket, /metrics and /healthz."""
