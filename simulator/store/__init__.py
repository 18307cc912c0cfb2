"""Rows that are kept: one SQLite file a store, of one kind of row, found by what decides them."""
