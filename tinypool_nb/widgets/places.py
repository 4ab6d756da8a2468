"""Where a widget is displayed, and what stands there when no browser draws it: a picture of the last state that was known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from IPython.display import DisplayHandle

STALE = 1.0
"""Seconds after which a picture of what goes on is drawn anew, though nothing has changed."""

CHEAP = 0.25
"""Seconds that a drawing behind a view may take after each cell: it takes 30 ms with 10 modules, 0.7 s with 1000."""
REST = 20
"""One that takes longer is not repeated before so many times what it took have passed."""

NOTHING = {"text/plain": "", "text/html": ""}

# Each place is two outputs, one below the other: the picture, and the view. JupyterLab shows an error in the place of a view whose
# kernel is gone, and would prefer it to any picture in the same output. So the picture says which of them is to be seen.
_OUTPUT = ".jp-OutputArea-child"
_PICTURE, _VIEW = f"{_OUTPUT}:has(.tinypool-static)", ".tinypool-whole"
_ONE_OF_BOTH = f"<style>{_PICTURE}:has(+{_OUTPUT} {_VIEW}),{_PICTURE}+{_OUTPUT}:not(:has({_VIEW})){{display:none}}</style>"


class Places:
    """All places that show one widget; they are updated together, by display ids.

    Each cell that has run draws the picture anew, behind the view if there is one, so that a notebook that was executed, or is saved,
    shows the end of its run. Where nothing but a front end without a browser (nbclient) asked so far, the view is taken away: stock
    nbconvert would prefer it and show nothing. If a browser says hello after all, the view comes back.

    Args:
        view: the widget's own MIME bundle; its root has the class `tinypool-whole`.
        static: makes the forms that need no kernel.
        changed: a token of the state that `static` shows; another one means that it would show something else.
    """

    def __init__(self, view: dict[str, Any], static: Callable[[], dict[str, Any]], changed: Callable[[], object]) -> None:
        self._view = view
        self._static = static
        self._changed = changed
        self._lock = threading.RLock()  # around all below: the hook runs in the main thread, a hello in the worker's
        self._picture: DisplayHandle | None = None
        self._live: DisplayHandle | None = None
        self._shell: InteractiveShell | None = None
        self._greeted = False
        self._with_view = True
        self._displayed = False  # in the cell that runs
        self._drawn: object = None
        self._drawn_at = self._cost = 0.0

    def bundle(self) -> dict[str, Any]:
        """The view and its static forms in one, for who displays them in a way of their own."""
        return {**self._view, **self._static()}

    def display(self) -> None:
        """Show it at one more place."""
        from IPython.core.getipython import get_ipython
        from IPython.display import DisplayHandle

        shell = get_ipython()
        if type(shell).__name__ == "TerminalInteractiveShell":  # it has no place to draw anew
            DisplayHandle().display(self._static(), raw=True)  # type: ignore[no-untyped-call]
            return
        with self._lock:
            self._picture = self._picture or DisplayHandle()  # type: ignore[no-untyped-call]
            self._live = self._live or DisplayHandle()  # type: ignore[no-untyped-call]
            self._picture.display(self._drawing(), raw=True)  # type: ignore[no-untyped-call]
            self._live.display({**self._view, **NOTHING}, raw=True)  # type: ignore[no-untyped-call]
            self._with_view = self._displayed = True
            if shell is not None and self._shell is None:
                self._shell = shell
                shell.events.register("post_run_cell", self._ran)

    def greeted(self) -> None:
        """A browser shows the widget."""
        with self._lock:
            self._greeted = True
            self._show(view=True)

    def freeze(self) -> None:
        """Leave the static forms at all places, as they are now, and forget these places."""
        with self._lock:
            if self._shell is not None:
                self._shell.events.unregister("post_run_cell", self._ran)
                self._shell = None
            if self._picture is not None:
                self._picture.update(self._drawing(), raw=True)  # type: ignore[no-untyped-call]
                self._show(view=False)
            self._picture = self._live = None
            self._greeted = False

    def _ran(self, _: ExecutionResult) -> None:
        with self._lock:
            self._show(view=self._greeted or self._displayed or _names_cells(self._shell))
            self._displayed = False
            age = time.monotonic() - self._drawn_at
            rested = not self._greeted or self._cost < CHEAP or age > REST * self._cost  # behind a view it may not slow every cell down
            if self._picture is not None and rested and (age > STALE or self._drawn != self._changed()):
                self._picture.update(self._drawing(), raw=True)  # type: ignore[no-untyped-call]

    def _drawing(self) -> dict[str, Any]:
        self._drawn = self._changed()  # before it is made: what comes meanwhile is news
        begun = time.monotonic()
        forms = self._static()
        self._drawn_at = time.monotonic()
        self._cost = self._drawn_at - begun
        return {**forms, "text/html": f'<div class="tinypool-static">{_ONE_OF_BOTH}{forms["text/html"]}</div>'}

    def _show(self, *, view: bool) -> None:
        if self._live is not None and self._with_view is not view:
            self._with_view = view
            self._live.update({**self._view, **NOTHING} if view else NOTHING, raw=True)  # type: ignore[no-untyped-call]


def _names_cells(shell: object) -> bool:
    """Whether the front end says which cell it runs, as JupyterLab and Notebook 7 do."""
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and "cellId" in kernel.get_parent("shell").get("metadata", {})
