"""Quality beside time: what a pattern costs and what it gains."""
