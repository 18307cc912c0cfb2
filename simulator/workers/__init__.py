"""Work on many items at once: in this process, threads, processes, or elsewhere."""
