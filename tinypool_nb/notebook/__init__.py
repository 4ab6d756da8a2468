"""Where the rooms meet: the record that a person asks, and the pool that makes one."""
