"""Style sheets and scripts of the reports, as files beside this one."""

from pathlib import Path

HERE = Path(__file__).parent


def asset(name: str) -> str:
    """The text of one of them.

    >>> "prefers-color-scheme" in asset("recorded.css")
    True
    """
    return (HERE / name).read_text(encoding="utf-8")
