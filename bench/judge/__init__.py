"""The judge's benchmark: simulated rollouts under it, under the rules of its peers, and under an oracle."""
