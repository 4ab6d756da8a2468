"""Reports: run a notebook from the top, and show what it said to people who have neither a kernel nor a network."""
