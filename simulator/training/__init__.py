"""Networks trained under a pattern; the only place that imports torch."""
