"""An argument that there is not, told with the one that was meant."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from tinypool_nb.errors import UnknownArgumentError

Made = TypeVar("Made")


def hinting(*, settings: Iterable[str] = ()) -> Callable[[type[Made]], type[Made]]:
    """A decorator of classes: an argument of a name that there is not raises with a hint, before anything is made.

    Args:
        settings: names that belong into the PoolOptions, which the class takes first.

    >>> @hinting(settings=["keepalive"])
    ... class Pool:
    ...     def __init__(self, options=None, *, health_checks=None): ...
    >>> Pool(health_check=30)
    Traceback (most recent call last):
    tinypool_nb.errors.UnknownArgumentError: Pool has no argument 'health_check'; did you mean health_checks?
    >>> Pool(keepalive=None)
    Traceback (most recent call last):
    tinypool_nb.errors.UnknownArgumentError: Pool has no argument 'keepalive'; it is a setting: Pool(PoolOptions(keepalive=...))
    """
    belong = frozenset(settings)

    def decorate(cls: type[Made]) -> type[Made]:
        make: Any = cls.__init__
        known = list(signature(make).parameters)[1:]

        @wraps(make)
        def init(self: Made, *positional: Any, **named: Any) -> None:
            for name in named:
                if name not in known:
                    raise UnknownArgumentError(cls.__name__, name, hint(name))
            make(self, *positional, **named)

        def hint(name: str) -> str:
            if name in belong:
                return f"it is a setting: {cls.__name__}(PoolOptions({name}=...))"
            near = get_close_matches(name, known, n=1)
            return f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"

        cls.__init__ = init  # type: ignore[method-assign,assignment]
        return cls

    return decorate
