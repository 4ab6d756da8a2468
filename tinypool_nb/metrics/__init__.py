"""The pool's numbers for Prometheus: counted as they come, put together only when somebody scrapes."""
