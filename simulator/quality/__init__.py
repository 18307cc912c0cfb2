"""What sparsity costs in quality: pruned models, what they get right, and rows that keep it."""
