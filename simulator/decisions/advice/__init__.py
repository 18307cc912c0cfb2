"""Does sparsity pay: which layers gain by which pattern, why others do not, from what size on."""
