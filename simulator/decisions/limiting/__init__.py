"""What limits a pattern: each resource relaxed alone, and in the best order."""
