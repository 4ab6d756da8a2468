"""What several commands say in the same words."""

from pathlib import Path


def size(path: Path) -> str:
    """How large a file is, as people write it.

    Example:
        >>> size(Path(__file__)).endswith("kB")
        True
    """
    count = path.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def show_progress(number: int, total: int, source: str) -> None:
    """Print which cell of a notebook is run: its first line."""
    print(f"  {number:2}/{total}  {source.partition(chr(10))[0].lstrip('# ')}", flush=True)
