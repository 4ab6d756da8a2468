"""What a person sees live and clicks on, in JupyterLab. A widget receives a journal and callables, never a pool."""
