"""Two engines, one meaning: `reference` is the model of record, `fast` is the default."""
