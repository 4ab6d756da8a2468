"""`%pool` in a notebook: the panel, and the verbs that are typed most often. `%load_ext tinypool_nb` brings it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display

from tinypool_nb.core.plain import one_line
from tinypool_nb.errors import TinypoolError, shown
from tinypool_nb.notebook.pool import Pool, pools

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

USAGE = """\
%pool                            show the panel
%pool register NAME ADDRESS      make a module reachable
%pool unregister NAME            take it away
%pool reconnect NAME             connect afresh, now
%pool health                     the state of each
-p VARIABLE                      which pool; else the one that was made last and is open"""

_WORDS: Mapping[str, int] = {"register": 2, "unregister": 1, "reconnect": 1, "health": 0}
"""A verb -> how many words follow it."""


@magics_class
class PoolMagics(Magics):
    """What `%load_ext tinypool_nb` adds to a shell."""

    @line_magic
    def pool(self, line: str) -> None:
        """Show the panel of a pool, or do one thing to it; `%pool help` lists what.

        Every answer names the pool that was meant.
        """
        words = _split(line)
        name = _taken(words)
        if words[:1] == ["help"]:
            print(USAGE)
            return
        verb, *rest = words or [""]
        if verb and verb not in _WORDS:
            raise UsageError(f"%pool knows no {shown(verb)}; it is one of\n{USAGE}")
        if len(rest) != _WORDS.get(verb, 0):
            wanted = next(line for line in USAGE.splitlines() if line.startswith(f"%pool {verb} "))
            raise UsageError(f"it is {' '.join(wanted.split('  ')[0].split())}; {len(rest)} word{'' if len(rest) == 1 else 's'} followed")
        assert self.shell is not None  # who calls this is the shell
        name, pool = _found(self.shell.user_ns, name)
        try:
            self._do(name, pool, verb, rest)
        except TinypoolError as error:
            raise UsageError(f"{name}: {error}") from None

    def _do(self, name: str, pool: Pool, verb: str, words: list[str]) -> None:
        match verb:
            case "":
                print(f"the panel of {name}")
                display(pool.panel())  # type: ignore[no-untyped-call]
            case "register":
                module, address = words
                namespace, slash, bare = module.partition("/")
                pool.register(bare if slash else module, address, namespace=namespace if slash else None)
                print(f"{name}: registered {one_line(module)} at {address}; it connects at its first call")
            case "unregister":
                there = pool.unregister(words[0])
                print(f"{name}: {'unregistered' if there else 'there is no'} {one_line(words[0])}")
            case "reconnect":
                pool.reconnect(words[0])
                print(f"{name}: reconnecting {one_line(words[0])}")
            case "health":
                states = {one_line(module): state for module, state in pool.health().items()}
                width = max(map(len, states), default=0)
                lines = [f"  {module:{width}}  {state}" for module, state in states.items()]
                print("\n".join([f"{name}:" if lines else f"{name}: no modules are registered", *lines]))


def complete(shell: Any, event: Any) -> list[str]:
    """What may follow in a line that begins with `%pool`: verbs, the names of modules, and after `-p` the pools."""
    before = event.line[: -len(event.symbol)] if event.symbol else event.line
    words = before.split()[1:]
    if words[-1:] == ["-p"]:
        return [
            name for name, value in shell.user_ns.items() if isinstance(value, Pool) and not value.is_closed and not name.startswith("_")
        ]
    chosen = words[words.index("-p") + 1] if "-p" in words[:-1] else None
    words = [word for word in words if word not in {"-p", chosen}]
    if not words:
        return [*_WORDS, "help", "-p"]
    if words[0] in {"unregister", "reconnect"} and len(words) == 1:
        try:
            return [shlex.quote(module) for module in _found(shell.user_ns, chosen)[1]]
        except UsageError:
            return []
    return []


def load(shell: InteractiveShell) -> None:
    """Add `%pool` and its completions to `shell`."""
    register: Callable[[type[Magics]], None] = shell.register_magics
    register(PoolMagics)
    for typed in ("%pool", "pool"):
        shell.set_hook("complete_command", complete, str_key=typed)  # type: ignore[no-untyped-call]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:  # a quote that is not closed
        raise UsageError(f"%pool cannot read {shown(line)}: {error}") from None


def _taken(words: list[str]) -> str | None:
    """Take `-p NAME` out of the words."""
    if "-p" not in words:
        return None
    place = words.index("-p")
    if place + 1 == len(words):
        raise UsageError("after -p comes the name of a variable that holds a pool")
    name = words[place + 1]
    del words[place : place + 2]
    return name


def _found(variables: Mapping[str, object], name: str | None) -> tuple[str, Pool]:
    """The pool that is meant, and what it is called."""
    if name is not None:
        pool = variables.get(name)
        if isinstance(pool, Pool):
            return name, pool
        held = [known for known, value in variables.items() if isinstance(value, Pool) and not known.startswith("_")]
        raise UsageError(f"{shown(name)} is no pool; {'these are: ' + ', '.join(held) if held else 'pool = tp.Pool() makes one'}")
    there = pools()
    if not there:
        raise UsageError("no pool is open; pool = tp.Pool() makes one")
    newest = there[-1]
    names = [known for known, value in variables.items() if value is newest and not known.startswith("_")]
    return names[0] if names else "a pool without a name", newest
