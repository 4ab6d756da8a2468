"""The frames that people get: pandas' own in everything but how they look."""

import re
from typing import Self

import pandas as pd

NOTE = "times in UTC, shown to the millisecond"
_DEFAULT_WIDTH = 50
"""pandas' own for `display.max_colwidth`: too narrow for gRPC's reasons, whose end says what went wrong."""
_WIDTH = 150
"""Characters of a cell in its place. Who set another width gets that."""
_STYLE = (
    "<style>.tinypool-frame table td,.tinypool-frame table th{white-space:nowrap}"
    ".tinypool-frame table td.long{white-space:normal;min-width:60ch;text-align:left;overflow-wrap:anywhere}</style>"
)
"""Names and times stay on one line: pages would break `http-module-v1` behind each of its hyphens."""
_LONG = re.compile("<td>([^<]{41,})</td>")


class Table(pd.DataFrame):
    """A frame whose times are *shown* as `2026-01-05 12:00:00.123`, and whose texts are shown in HTML in up to 150 characters.

    What is in it stays whole: nanoseconds, with their time zone. What is made of it by picking rows and columns is shown so, too.

    >>> Table({"time": pd.to_datetime([1_500_000_123], utc=True), "state": ["IDLE"]})
                         time state
    0 1970-01-01 00:00:01.500  IDLE
    [times in UTC, shown to the millisecond]
    """

    @property
    def _constructor(self) -> type[Self]:
        return type(self)

    def __repr__(self) -> str:
        shown, cut = self._shown()
        return f"{shown!r}\n[{NOTE}]" if cut else repr(shown)

    def _repr_html_(self) -> str | None:
        shown, cut = self._shown()
        width = pd.get_option("display.max_colwidth")
        with pd.option_context("display.max_colwidth", _WIDTH if width == _DEFAULT_WIDTH else width):
            html: str | None = shown._repr_html_()  # type: ignore[operator]
        if html is None:
            return None  # somebody turned pandas' HTML off
        return f'<div class="tinypool-frame">{_STYLE}{_LONG.sub(_long_cell, html)}{f"<p>{NOTE}</p>" if cut else ""}</div>'

    def _shown(self) -> tuple[pd.DataFrame, bool]:
        """What pandas is to show, and whether times in it were cut."""
        shown = pd.DataFrame(self, copy=False)
        places = [place for place, dtype in enumerate(self.dtypes) if isinstance(dtype, pd.DatetimeTZDtype) and str(dtype.tz) == "UTC"]
        for place in places:
            shown.isetitem(place, self.iloc[:, place].dt.tz_localize(None).astype("datetime64[ms]"))
        return shown, bool(places) and len(self) > 0


def _long_cell(cell: re.Match[str]) -> str:
    return f'<td class="long">{cell[1]}</td>'
