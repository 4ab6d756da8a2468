"""The reconnection stepper in a browser: the lessons step by step, and a module of one's own, followed or held."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import PALETTES
from tinypool_nb.core.phases import AttemptReport
from tinypool_nb.core.stepping import Progress, Script
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views import steps
from tinypool_nb.views.wording import cut, one_line
from tinypool_nb.widgets import step_messages
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.step_verbs import Drive, Follow, Held, StepVerbs
from tinypool_nb.widgets.worker import Worker

_LONGEST = 1_000
"""Characters of an error that are sent."""


def _joined(*names: str) -> str:
    return "\n".join(files(__package__).joinpath("steps", name).read_text(encoding="utf-8") for name in names)


def _styled() -> str:
    """The style sheet, with the colour of each state; a page may have its own: --tinypool-ready and so on."""
    dark = ':is([data-jp-theme-light="false"],.vscode-dark) '
    rules = [
        f'{theme}.tinypool-chip-state[data-state="{look.label}"]'
        f"{{border-left-color:var(--tinypool-{look.label.lower().replace('_', '-')},{look.colour})}}"
        for theme, palette in (("", PALETTES["light"]), (dark, PALETTES["dark"]))
        for look in palette.looks.values()
    ]
    return "\n".join([_joined("stepper.css"), *rules])


class StepperWidget(anywidget.AnyWidget):
    """A person walks through a lesson of the lab with next, play and reset, or follows and holds a module of their own.

    Everything that a button does is also a method, and returns at once. The kernel's loop is never held up: what is clicked is done by
    the worker, an attempt by a thread of its own, and all writes go through the publisher.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
        worker: the thread that does what is clicked; whoever made it closes it.
        verbs: the lessons, and what may be done to modules.

    Source: the issue "JupyterLab: the live view, the register form and the reconnection stepper".
    """

    _esm = _joined("elements.js", "clock.js", "lesson.js", "own.js", "widget.js")
    _css = _styled()

    view = traitlets.Unicode("lesson").tag(sync=True)
    """"lesson" or "own"."""
    script: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """The lesson's words, and the names of all lessons."""
    progress: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """How each step stands."""
    modules: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    """Of each module that can be chosen its name, and how it is shown: on one line, and in the order in which it is written."""
    own: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """What the chosen module is doing; empty if none is chosen."""
    error = traitlets.Unicode("").tag(sync=True)
    """Why what was clicked last could not be done."""

    def __init__(self, journal: Journal, publisher: Publisher, worker: Worker, verbs: StepVerbs) -> None:
        self._journal = journal
        self._publisher = publisher
        self._worker = worker
        self._verbs = verbs
        self._lesson: Script = verbs.scripts[0]
        self._drive: Drive | None = None
        self._key: ModuleKey | None = None
        self._followed: Follow | None = None
        self._held: dict[ModuleKey, Held] = {}
        self._reports: dict[ModuleKey, AttemptReport] = {}
        self._attempting: set[ModuleKey] = set()
        self._pending = threading.Event()
        self._told: object = None
        self._chosen = "lesson"
        super().__init__(
            script=step_messages.script(self._lesson, verbs.scripts),
            progress=step_messages.progress(Progress(self._lesson), 0),
            _dom_classes=("tinypool-stepper",),
        )
        self.on_msg(self._heard)
        publisher.add(self)

    # What the buttons do.

    def choose(self, lesson: str) -> None:
        """Take another lesson; the servers of the one before end.

        Raises:
            KeyError: there is no lesson of that name.
        """
        script = {script.name: script for script in self._verbs.scripts}[lesson]
        self._close_drive()
        self._lesson = script
        self._refresh()

    def next(self) -> None:
        """Do the next step of the lesson."""
        self._opened().next(wait=False)

    def play(self) -> None:
        """Do all steps that are left, for as long as all comes as expected."""
        self._opened().play(wait=False)

    def reset(self) -> None:
        """Back to the beginning of the lesson."""
        if self._drive is not None:
            self._drive.reset()
        self._refresh()

    def follow(self, module: ModuleKey) -> None:
        """Show what a module's connection is doing; one that was held here is released."""
        held = self._held.pop(module, None)
        self._reports.pop(module, None)
        if held is not None:
            held.release()
        self._take(module)

    def hold(self, module: ModuleKey) -> None:
        """Hold a module: it connects only when `attempt` is asked for."""
        self._take(module)
        if module not in self._held:
            self._held[module] = self._verbs.hold(module)
        self._refresh()

    def attempt(self) -> None:
        """Make one attempt of the module that is held."""
        key = self._key
        if key is None or key not in self._held or key in self._attempting:
            return
        self._attempting.add(key)
        self._refresh()
        # It may take as long as the module's own deadline, for which nobody else's click should wait.
        threading.Thread(target=self._attempt, args=(key, self._held[key]), name="tinypool-attempt", daemon=True).start()

    def publish(self, _: Batch) -> None:
        """Show what is new of the chosen module; called by the publisher."""
        if self._chosen == "own":
            self._write()

    @property
    def lesson(self) -> Progress:
        """How far the lesson has come."""
        return Progress(self._lesson) if self._drive is None else self._drive.progress

    def close(self) -> None:
        """Take the widget away with its comm; the lesson's servers end, and modules that were held here are released."""
        if self.comm is None:
            return  # ipywidgets calls it from the garbage collector too, which must wait for no lock
        self._publisher.remove(self)
        self.on_msg(self._heard, remove=True)
        layout = self.layout
        super().close()
        layout.close()
        self._close_drive()
        for held in self._held.values():
            held.release()
        self._held.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._lesson.name}, {steps.summary(self.lesson)}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        static = {"text/plain": steps.progress_text(self.lesson), "text/html": steps.progress_html(self.lesson)}
        if bundle is None:
            return static
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        return ({**data, **static}, *metadata) if metadata else {**data, **static}

    # What a browser says, done by the worker.

    def _heard(self, _: object, content: object, __: object) -> None:
        if not isinstance(content, Mapping) or content.get("v") != 1:
            return
        act = _ACTS.get(str(content.get("kind")))
        if act is not None:
            self._worker.do(partial(self._do, act, content.get("value")))

    def _do(self, act: Callable[[StepperWidget, Any], object], value: object) -> None:
        if self.comm is None:
            return
        problem = ""
        try:
            act(self, value)
        except TinypoolError as error:
            problem = str(error)
        except (KeyError, ValueError, TypeError) as error:  # no button says such a thing
            problem = f"that was not understood: {type(error).__name__}"
        self._say(problem)

    def _say(self, problem: str) -> None:
        text = cut(one_line(problem), _LONGEST, keep_end=False)
        if text != self.error:
            self._publisher.post(partial(self._set, "error", text))

    def _show(self, view: object) -> None:
        self._chosen = "own" if view == "own" else "lesson"
        if self._chosen == "own" and self._key is None and (modules := list(self._verbs.modules())):
            self._take(modules[0])
        self._refresh()

    def _named(self, module: object) -> ModuleKey:
        found = [key for key in self._verbs.modules() if str(key) == module]
        if not found:
            raise TinypoolError(f"no module {one_line(module)!r} is registered any more")
        return found[0]

    def _take(self, module: ModuleKey) -> None:
        if module != self._key or self._followed is None:
            self._key, self._followed = module, self._verbs.follow(module)
        self._refresh()

    def _opened(self) -> Drive:
        if self._drive is None:
            self._drive = self._verbs.open_lesson(self._lesson.name)
            self._drive.listen(self._refresh)
        return self._drive

    def _close_drive(self) -> None:
        drive, self._drive = self._drive, None
        if drive is not None:
            drive.unlisten(self._refresh)
            drive.close()

    def _attempt(self, key: ModuleKey, held: Held) -> None:
        problem = ""
        try:
            self._reports[key] = held.attempt()
        except TinypoolError as error:
            problem = str(error)
        finally:
            self._attempting.discard(key)
        if self.comm is not None:
            self._say(problem)
            self._refresh()

    # What is written, by the publisher.

    def _refresh(self) -> None:
        """Write soon how all stands; once, however often it is asked for meanwhile."""
        self._told = None
        if not self._pending.is_set():
            self._pending.set()
            self._publisher.post(self._write)

    def _write(self) -> None:
        self._pending.clear()
        if self.comm is None:
            return
        now = self._journal.clock.now()
        with self.hold_sync():  # one message
            if self._chosen == "own":
                self._write_own(now)
            else:
                self.set_trait("script", step_messages.script(self._lesson, self._verbs.scripts))
                self.set_trait("progress", step_messages.progress(self.lesson, now))
            self.set_trait("view", self._chosen)

    def _write_own(self, now: int) -> None:
        modules, key, followed = tuple(self._verbs.modules()), self._key, self._followed
        self.set_trait("modules", [[str(module), one_line(module)] for module in modules])
        if key not in modules or key is None or followed is None:
            self.set_trait("own", {})
            return
        forecast, attempts = followed.now(catch_up=False), followed.attempts
        is_held, is_attempting, report = key in self._held, key in self._attempting, self._reports.get(key) if key in self._held else None
        told = (key, forecast, len(attempts), is_held, is_attempting, report)
        if told == self._told:  # nothing is sent only because time goes by
            return
        self._told = told
        doing = step_messages.doing(forecast, attempts, self._verbs.backoff_of(key), now)
        mode = {"mode": "hold" if is_held else "follow", "attempting": is_attempting}
        self.set_trait("own", {"chosen": str(key), **mode, **doing, "report": report and step_messages.report(report)})

    def _set(self, name: str, value: str) -> None:
        if self.comm is not None:
            self.set_trait(name, value)


_ACTS: Mapping[str, Callable[[StepperWidget, Any], object]] = {
    "hello": lambda widget, _: widget._refresh(),  # noqa: SLF001  this table is a part of the class
    "view": lambda widget, value: widget._show(value),  # noqa: SLF001
    "lesson": lambda widget, value: widget.choose(value),
    "next": lambda widget, _: widget.next(),
    "play": lambda widget, _: widget.play(),
    "reset": lambda widget, _: widget.reset(),
    "module": lambda widget, value: widget._take(widget._named(value)),  # noqa: SLF001
    "follow": lambda widget, value: widget.follow(widget._named(value)),  # noqa: SLF001
    "hold": lambda widget, value: widget.hold(widget._named(value)),  # noqa: SLF001
    "attempt": lambda widget, _: widget.attempt(),
    "look": lambda widget, _: widget._verbs.catch_up(),  # noqa: SLF001
}
"""What a browser may ask for: the `kind` of a message, and who does it."""
