"""The lab's small cluster: an API server of its own that serves TinyModules on loopback, so that discovery can be learnt with no cluster.

It is written from the standard library and held to a real kube-apiserver by one suite of tests for both (`tests/contract`). `server` is
the process; `api`, `resources` and `cluster` are the kernel's side of it. Source: Kubernetes API concepts and API conventions.
"""
