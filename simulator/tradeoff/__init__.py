"""Quality beside simulated time: what a pattern costs and gives, and a pattern per layer."""
