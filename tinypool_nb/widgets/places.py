"""Where a widget is displayed, and what stands there when no browser draws it: a picture of the last state that was known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from IPython.display import DisplayHandle

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
STALE = 1.0
"""Seconds after which a picture of what goes on is drawn anew, though nothing has changed."""


class Places:
    """All outputs that show one widget; they are updated together, by their display id.

    A browser that shows the widget says hello. As long as none did, each cell that has run draws the static forms anew, so that an executed
    notebook shows the end of its run. A front end that names no cells (nbclient, which has no browser) then gets them without the
    view, since stock nbconvert would prefer the view and show nothing; if a hello comes after all, the view comes back.

    Args:
        view: the widget's own MIME bundle.
        static: makes the forms that need no kernel.
        changed: a token of the state that `static` shows; another one means that it would show something else.
    """

    def __init__(self, view: dict[str, Any], static: Callable[[], dict[str, str]], changed: Callable[[], object]) -> None:
        self._view = view
        self._static = static
        self._changed = changed
        self._lock = threading.RLock()  # around all below: the hook runs in the main thread, a hello in the worker's
        self._handle: DisplayHandle | None = None
        self._shell: InteractiveShell | None = None
        self._greeted = False
        self._with_view = True
        self._displayed = False  # in the cell that runs
        self._drawn: object = None
        self._drawn_at = 0.0

    def bundle(self) -> dict[str, Any]:
        """The view and its static forms."""
        self._drawn = self._changed()  # before the drawing: what comes meanwhile is news
        static = self._static()
        self._drawn_at = time.monotonic()
        return {**self._view, **static} if self._with_view else static

    def display(self) -> None:
        """Show it at one more place."""
        from IPython.core.getipython import get_ipython
        from IPython.display import DisplayHandle

        with self._lock:
            self._with_view = True
            self._handle = self._handle or DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(self.bundle(), raw=True)  # type: ignore[no-untyped-call]
            shell = get_ipython()
            if shell is not None:
                self._displayed = True
                if self._shell is None and not self._greeted:
                    self._shell = shell
                    shell.events.register("post_run_cell", self._ran)

    def greeted(self) -> None:
        """A browser shows the widget: it draws from now on."""
        with self._lock:
            self._greeted = True
            self._forget_shell()
            if self._handle is not None and not self._with_view:
                self._with_view = True
                self._update()

    def freeze(self) -> None:
        """Leave the static forms at all places, as they are now, and forget these places."""
        with self._lock:
            self._forget_shell()
            if self._handle is not None:
                self._with_view = False
                self._update()
                self._handle = None
            self._greeted = False

    def _ran(self, _: ExecutionResult) -> None:
        with self._lock:
            if self._handle is None or self._greeted:
                return
            self._with_view = self._displayed or _names_cells(self._shell)
            self._displayed = False
            if self._drawn != self._changed() or time.monotonic() - self._drawn_at > STALE or not self._with_view:
                self._update()

    def _update(self) -> None:
        assert self._handle is not None
        self._handle.update(self.bundle(), raw=True)  # type: ignore[no-untyped-call]

    def _forget_shell(self) -> None:
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._ran)
            self._shell = None


def _names_cells(shell: object) -> bool:
    """Whether the front end says which cell it runs, as JupyterLab and Notebook 7 do."""
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and "cellId" in kernel.get_parent("shell").get("metadata", {})
