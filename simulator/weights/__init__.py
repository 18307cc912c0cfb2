"""Real weights: files, masks, layouts, compression, permutations; what a pattern keeps of them.

A mask is an array (rows, k) of bool or of uint8 zeros and ones: true is kept, and patterns run
along k.
"""
