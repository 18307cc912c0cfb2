"""Networks trained under a pattern: tasks, networks and recipes, and what training wins back.

The only place that imports torch, and only once something is trained: names and parameters are
read and checked without it.
"""
