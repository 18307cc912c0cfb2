"""What it would take: the cheapest machine on which a pattern reaches a speed-up."""
