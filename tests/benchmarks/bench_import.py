"""What `import tinypool_nb` adds to the start of Python."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

ROUNDS = 15


def seconds(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def figures() -> Iterator[tuple[str, float, str, float | None, str]]:
    for module, bar in (("tinypool_nb", 60.0), ("grpc", None), ("pandas", None)):
        seconds(f"import {module}")  # the first writes byte code and fills the file cache
        # in pairs, so that a busy moment of the machine strikes both
        more = [seconds(f"import {module}") - seconds("pass") for _ in range(ROUNDS)]
        yield f"import {module}, more than bare Python", statistics.median(more) * 1e3, "ms", bar, "median of 15"
