"""rollout: a GitOps controller that moves traffic to a new version step by step, and home when it fails."""

__version__ = "0.1.0"
