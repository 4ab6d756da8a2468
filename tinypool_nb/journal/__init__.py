"""What was seen: the journal, the thread that follows it, and recordings of it on disk."""
