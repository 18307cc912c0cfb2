"""Many points at once: sweeps of a design space, searches in it, and where their figures are kept.

A *point* is a machine (a base and settings of dotted keys), a workload and a pattern.
"""
