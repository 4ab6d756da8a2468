"""The course's exercises: `check` says what is right or what to look at, `hint` helps in steps, `progress` tells what is done.

The notebooks themselves come by `tinypool-nb course`. Importing this loads none of the exercises.

>>> from tinypool_nb import course
>>> print(course.check("02.1", "READY"))
02.1 Look again: registering only notes the address. Who would have connected? Look at the table that the pool showed: no attempt yet.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinypool_nb.course.desk import check as check
    from tinypool_nb.course.desk import hint as hint
    from tinypool_nb.course.desk import progress as progress
    from tinypool_nb.course.files import notebooks as notebooks
    from tinypool_nb.course.files import recording as recording
    from tinypool_nb.course.waiting import until as until

__all__ = ["check", "hint", "notebooks", "progress", "recording", "until"]

_HOMES = {"check": "desk", "hint": "desk", "notebooks": "files", "progress": "desk", "recording": "files", "until": "waiting"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
