"""The five states as a picture that a notebook shows: all ways between them, or those that a record has walked."""

from collections.abc import Mapping

from tinypool_nb.core.palette import Theme, palette_of
from tinypool_nb.views import state_diagram as views
from tinypool_nb.views.state_diagram import Way


class StateDiagram:
    """Displays itself as an image with its text as the alternative, and as text where there is no HTML."""

    def __init__(self, seen: Mapping[Way, int] | None = None, *, theme: Theme | None = None) -> None:
        """`seen`: how often each way was taken; None makes no difference between them. `theme`: None follows the page."""
        if theme is not None:
            palette_of(theme)
        self.seen = seen
        self.theme = theme

    def svg(self) -> str:
        """The picture as one self-contained SVG element, light unless told otherwise."""
        return views.state_diagram_svg(self.seen, theme=self.theme or "light")

    def __str__(self) -> str:
        return views.state_diagram_text(self.seen)

    def __repr__(self) -> str:
        told = "of the table" if self.seen is None else f"{sum(self.seen.values()):,} transitions on {len(self.seen)} ways"
        return f"<StateDiagram {told}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": views.state_diagram_html(self.seen, theme=self.theme)}


def state_diagram(*, theme: Theme | None = None) -> StateDiagram:
    """The five states of a channel and which may follow which, drawn from the table that the whole package uses.

    `pool.state_diagram()` shows which of the ways a record has walked, and how often.

    Args:
        theme: "light" or "dark"; by default that of the page.

    Raises:
        OptionsError: there is no such theme.

    >>> print(str(state_diagram()).splitlines()[0])
    IDLE -> CONNECTING: somebody asks

    Source: grpc/grpc `doc/connectivity-semantics-and-api.md`, gRFC A62.
    """
    return StateDiagram(theme=theme)
