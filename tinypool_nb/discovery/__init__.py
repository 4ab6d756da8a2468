"""TinyModule resources of a Kubernetes cluster feed the pool, and stay right through everything.

`kubeconfig` finds the cluster, `resources` lists and watches, `reflector` keeps that going, `registry` keeps the pool equal to what was
seen, and `discovery` is what a person holds of it. Nothing here loads the Kubernetes client before somebody discovers.
"""
