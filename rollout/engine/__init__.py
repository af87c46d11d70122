"""The shell's loop around the core: catalogue, passes, outbox, daemon. No vendor's name."""
