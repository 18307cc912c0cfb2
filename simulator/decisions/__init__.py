"""From figures to decisions: does sparsity pay, what limits it, what would it take, what moved?"""
