"""Networks trained under a pattern: the only folder that imports torch, and only to train."""
