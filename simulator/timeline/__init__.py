"""What each core did when."""
