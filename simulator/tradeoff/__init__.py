"""Quality beside time; a pattern per layer."""
