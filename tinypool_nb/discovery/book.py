"""What one discovery knows of the resources that it saw."""

from tinypool_nb.core.discovering import Known, Scope
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.discovery.forwards import Forwards


class Book:
    """What one discovery knows. Changed by its registry alone."""

    def __init__(self, scope: Scope, own: ModuleKey | None = None, forwards: Forwards | None = None) -> None:
        self.scope = scope
        self.forwards = forwards
        """By which its modules are reached; None: by their addresses."""
        self.own = own
        """The resource of the own module; None for none."""
        self.known: dict[ModuleKey, Known] = {}
        self.is_open = True

    def __repr__(self) -> str:
        return f"<Book {self.scope}: {len(self.known)} resources{'' if self.is_open else ', closed'}>"
