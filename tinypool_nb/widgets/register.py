"""The register form and the list of what is registered: one small widget, which says what is wanted and shows what is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from tinypool_nb.core.keys import ModuleKey, need_key, parse_key
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.registration import Field, Registration, check, place_of, rule_of, texts_of
from tinypool_nb.core.spelling import register_line, verb_line
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.widgets.assets import script, style
from tinypool_nb.widgets.connection_rows import Connection, changes, connections_now, row_of
from tinypool_nb.widgets.part import Part
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker

VERSION = 1
"""Of the messages between this and `browser/register.js`."""

RowVerb = Literal["reconnect", "unregister"]
_DONE: Mapping[str, str] = {"reconnect": "Reconnecting {}.", "unregister": "Unregistered {}."}


class RegisterForm(Part):
    """Registers modules, and lists them with state, address and transport, each to be reconnected or unregistered.

    What a button does is a method too. A click only puts something into the worker's queue; the worker acts, and the publisher writes. Rows
    go out as they change, one message for all of them, and none before a browser has said hello.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
        worker: the thread that does what is clicked.
        verbs: what may be done to the pool.
        greeted: called, in the worker's thread, when a browser begins to show the form.

    Source: the issue "JupyterLab: the live view, the register form and the reconnection stepper".
    """

    _esm = script("register")
    _css = style()

    def __init__(
        self, journal: Journal, publisher: Publisher, worker: Worker, verbs: Verbs, *, greeted: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(_dom_classes=("tinypool-panel",))
        self._journal = journal
        self._publisher = publisher
        self._worker = worker
        self._verbs = verbs
        self._greeted = greeted
        self._seen = False  # whether a browser has said hello; before, nobody would hear
        self._shown: dict[ModuleKey, Connection] = {}  # of the publisher's thread alone
        self._typed: dict[str, dict[str, Any]] = {}  # view -> what was typed last and is not checked yet
        self.on_msg(self._heard)
        publisher.add(self)

    def register(self, name: str, address: str, *, namespace: str | None = None, options: PoolOptions | None = None) -> None:
        """What the button "Register" does: `pool.register`.

        Raises:
            ModuleNameError, AddressError, OptionsError, PoolClosedError: as the pool's own.
        """
        parse_key(name, namespace)
        self._verbs.register(Registration(name, address, namespace, options))

    def unregister(self, name: str | ModuleKey) -> None:
        """What "unregister" in a row does: `pool.unregister`.

        Raises:
            UnknownModuleError, AmbiguousModuleError: it is not registered, or not clear which one is meant.
        """
        self._verbs.unregister(need_key(self._verbs.modules(), name))

    def reconnect(self, name: str | ModuleKey) -> None:
        """What "reconnect" (of an idle module "connect") in a row does: `pool.reconnect`.

        Raises:
            UnknownModuleError, AmbiguousModuleError, OptionsError, PoolClosedError: as the pool's own.
        """
        self._verbs.reconnect(need_key(self._verbs.modules(), name))

    def health_check(self) -> None:
        """What "Connect all that are not READY" does: `pool.health_check`.

        Raises:
            PoolClosedError: after the pool's `close`.
        """
        self._verbs.health_check()

    def publish(self, _: Batch) -> None:
        """Send the rows that have changed; called by the publisher."""
        if self._seen:
            self._send_rows()

    def leave(self) -> None:
        """Hear and write no more."""
        self._publisher.remove(self)
        self.on_msg(self._heard, remove=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._verbs.modules())} modules>"

    def _heard(self, _: object, content: object, __: object) -> None:
        """Enqueue what a browser says. It runs in the kernel's loop or in a subshell's thread, so it does nothing else."""
        if not isinstance(content, dict) or content.get("v") != VERSION:
            return
        view = str(content.get("view", ""))
        match content.get("kind"):
            case "hello":
                self._worker.do(self._greet)
            case "check":
                self._typed[view] = content
                self._worker.do(partial(self._check, view))
            case "register":
                self._worker.do(partial(self._register, view, content))
            case "health_check":
                self._worker.do(
                    partial(self._act, view, "health_check", self._verbs.health_check, "Asked all that were not READY to connect.")
                )
            case "reconnect" | "unregister" as verb:
                self._worker.do(partial(self._act_on, view, verb, content.get("key")))

    def _greet(self) -> None:
        self._seen = True
        self._greeted()
        self._publisher.post(partial(self._send_rows, everything=True))

    def _check(self, view: str) -> None:
        content = self._typed.pop(view, None)
        if content is None:
            return  # something newer was checked in its stead
        registration, errors = check(_typed(content), self._verbs.options)
        self._judge(view, content, registration, errors)

    def _register(self, view: str, content: dict[str, Any]) -> None:
        registration, errors = check(_typed(content), self._verbs.options)
        if registration is not None:
            try:
                self._verbs.register(registration)
            except TinypoolError as error:
                place = place_of(error)
                if place is None:
                    self._answer(view, "done", verb="register", ok=False, text=str(error))
                    return
                errors = {place: rule_of(error)}
            else:
                shown = registration.key
                line = register_line(registration, self._verbs.options)
                self._answer(
                    view,
                    "done",
                    verb="register",
                    ok=True,
                    text=f"Registered {shown}. It connects at its first call, or now by “connect”.",
                    line=line,
                )
        self._judge(view, content, registration, errors, submitted=True)

    def _judge(
        self, view: str, content: dict[str, Any], registration: Registration | None, errors: Mapping[Field, str], *, submitted: bool = False
    ) -> None:
        line = "" if registration is None or errors else register_line(registration, self._verbs.options)
        self._answer(view, "checked", serial=content.get("serial"), errors=dict(errors), line=line, submitted=submitted)

    def _act_on(self, view: str, verb: RowVerb, key: object) -> None:
        if not isinstance(key, list) or len(key) != 2:
            return
        module = parse_key(key[1], key[0])
        action = {"reconnect": self._verbs.reconnect, "unregister": self._verbs.unregister}[verb]
        self._act(view, verb, partial(action, module), _DONE[verb].format(module), verb_line(verb, module))

    def _act(self, view: str, verb: str, action: Callable[[], object], text: str, line: str | None = None) -> None:
        try:
            action()
        except TinypoolError as error:
            self._answer(view, "done", verb=verb, ok=False, text=str(error))
        else:
            self._answer(view, "done", verb=verb, ok=True, text=text, line=line or f"pool.{verb}()")

    def _answer(self, view: str, kind: str, **more: Any) -> None:
        self._publisher.post(partial(self.send, {"v": VERSION, "kind": kind, "view": view, **more}))

    def _send_rows(self, *, everything: bool = False) -> None:
        """Called in the publisher's thread."""
        verbs = self._verbs
        now = connections_now(self._journal, verbs.modules())
        changed, gone = (list(now.values()), []) if everything else changes(self._shown, now)
        self._shown = now
        if not (changed or gone or everything):
            return
        rows = [row_of(each, verbs.options_of(each.channel.key), verbs.options) for each in changed]
        message = {"v": VERSION, "kind": "rows", "all": everything, "rows": rows, "gone": gone}
        self.send({**message, "texts": texts_of(verbs.options)} if everything else message)


def _typed(content: Mapping[str, Any]) -> dict[str, object]:
    typed = content.get("typed")
    return typed if isinstance(typed, dict) else {}
