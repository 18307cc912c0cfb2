"""A workload on a machine: choose, simulate, report."""
