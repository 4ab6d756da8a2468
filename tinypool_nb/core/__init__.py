"""What is decided without I/O: no clock, no thread, no third-party import but numpy where a column is folded."""
