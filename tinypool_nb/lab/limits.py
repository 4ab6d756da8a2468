"""Lets a server of the lab hold more connections than a shell's usual limit of open files."""

import resource

WANTED = 10_240
"""Open files; macOS lets a process have no more."""


def raise_file_limit() -> None:
    """Raise this process's limit of open files as far as it may itself, to `WANTED` at the most; it is never lowered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
