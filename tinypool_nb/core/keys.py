"""What a module is called: a name, and a namespace where it came from Kubernetes."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from tinypool_nb.errors import AmbiguousModuleError, ModuleNameError, UnknownModuleError

LONGEST_NAME = 1_000
"""Characters, as of an address. The longest name that a Kubernetes resource may have has 253."""


class ModuleKey(NamedTuple):
    """Names one module: (namespace, name), with namespace None for what a person registered by hand.

    >>> str(ModuleKey(None, "http-module-v1")), str(ModuleKey("tinysystems", "http-module-v1"))
    ('http-module-v1', 'tinysystems/http-module-v1')
    """

    namespace: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


def parse_key(name: object, namespace: object = None) -> ModuleKey:
    """Check a name (and namespace) at the door and make the key.

    Any text that can be shown is welcome, markup, quotes and emoji included; refused are the empty name, control
    characters, blanks at the ends, "/" (it separates the namespace) and more than 1,000 characters.

    Raises:
        ModuleNameError: with the value and the rule.
    """
    _check(name, "a module's name")
    if namespace is not None:
        _check(namespace, "a namespace")
    assert isinstance(name, str)
    assert namespace is None or isinstance(namespace, str)
    return ModuleKey(namespace, name)


def _check(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise ModuleNameError(value, f"{what} is a str, not {type(value).__name__}")
    if not value:
        raise ModuleNameError(value, f"{what} has at least one character")
    if len(value) > LONGEST_NAME:
        raise ModuleNameError(value, f"{what} has at most {LONGEST_NAME:,} characters; this one has {len(value):,}")
    if value != value.strip():
        raise ModuleNameError(value, f"{what} has no blank at its ends")
    if "/" in value:
        raise ModuleNameError(value, f"{what} holds no '/', which separates the namespace from the name")
    if not value.isprintable() and any(_is_control(character) for character in value):
        raise ModuleNameError(value, f"{what} holds no control characters or lone surrogates")


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character < "\xa0" or character in "\u2028\u2029" or "\ud800" <= character <= "\udfff"


def find_key(keys: Iterable[ModuleKey], asked: object) -> ModuleKey | None:
    """The one key among `keys` that `asked` names: a ModuleKey, `namespace/name`, or a bare name; None if there is none.

    Raises:
        AmbiguousModuleError: the bare name stands for several keys; the message names them.
    """
    if isinstance(asked, ModuleKey):
        return next((key for key in keys if key == asked), None)
    if not isinstance(asked, str):
        return None
    namespace, slash, name = asked.partition("/")
    if slash:
        return next((key for key in keys if key == ModuleKey(namespace, name)), None)
    found = [key for key in keys if key.name == asked]
    if len(found) > 1:
        raise AmbiguousModuleError(asked, [str(key) if key.namespace is not None else f"ModuleKey(None, {key.name!r})" for key in found])
    return found[0] if found else None


def need_key(keys: Iterable[ModuleKey], asked: object) -> ModuleKey:
    """As `find_key`, but an unknown name raises.

    Raises:
        UnknownModuleError: with up to three near names.
        AmbiguousModuleError: as `find_key`.
    """
    keys = tuple(keys)
    key = find_key(keys, asked)
    if key is None:
        raise unknown(keys, asked)
    return key


def recorded_key(keys: Iterable[ModuleKey], asked: object) -> ModuleKey:
    """As `need_key`, of a record's modules: the error names those that it has."""
    keys = tuple(keys)
    try:
        return need_key(keys, asked)
    except UnknownModuleError as error:
        raise UnknownModuleError(asked, error.near, [str(key) for key in keys]) from None


def unknown(keys: Iterable[ModuleKey], asked: object) -> UnknownModuleError:
    """The error for a name that none of `keys` has, with up to three near names.

    >>> unknown([ModuleKey(None, "http-module-v1")], "http-module-v2").near
    ('http-module-v1',)
    """
    return UnknownModuleError(asked, get_close_matches(str(asked), [str(key) for key in keys], n=3, cutoff=0.6))
