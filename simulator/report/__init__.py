"""What a user gets: counts become figures, and every picosecond of every core is accounted for."""
