"""All that is decided before time zero: tiles, their order, costs, mappings, programs."""
