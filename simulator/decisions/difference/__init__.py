"""Two reports, machines or stores of runs: what moved, and through what."""
