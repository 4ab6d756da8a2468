"""What a module's connection is doing now and when gRPC tries next, in words."""

from tinypool_nb.core.backoff import Window
from tinypool_nb.core.forecast import SECOND, Doing, Forecast
from tinypool_nb.views.wording import NO_FORMULAS, duration_text, for_xml, one_line

A62 = "Python's gRPC stays in TRANSIENT_FAILURE through all attempts until one succeeds (gRFC A62); Go's shows CONNECTING and IDLE between."


def forecast_text(module: str, forecast: Forecast, now: int) -> str:
    """A sentence or two for a terminal.

    Parameters:
        module: its shown name.
        forecast: of that module.
        now: when it is read, nanoseconds since 1970-01-01 UTC.

    >>> forecast_text("http-module-v1", Forecast(Doing.ASLEEP, None, 0, 0, "", None, ""), 1_000_000_000)
    'http-module-v1 is idle until somebody asks'
    """
    state = "" if forecast.state is None else f" ({forecast.state})"
    parts = [f"{one_line(module)} is {_doing(forecast, now)}{state}"]
    if forecast.next is not None:
        parts.append(
            f"{'given up' if forecast.doing is Doing.TRYING else f'attempt {forecast.attempt + 1} comes'} {wait(forecast.next, now)}"
        )
    if forecast.reason and forecast.doing is not Doing.CONNECTED:
        parts.append(f"last failure: {one_line(forecast.reason)}")
    return "; ".join(parts)


def forecast_html(module: str, forecast: Forecast, now: int) -> str:
    """The same for a notebook, escaped."""
    told = for_xml(forecast_text(module, forecast, now))
    return f'<p class="tinypool-forecast {NO_FORMULAS}" data-state="{forecast.doing.name.lower()}">{told}</p>'


def wait(window: Window, now: int) -> str:
    """How long it is until something can happen.

    >>> wait(Window(1_800_000_000, 2_200_000_000), 1_000_000_000)
    'in 800 ms to 1.2 s'
    """
    first, last = (max(0, at - now) / SECOND for at in window)
    if last == 0:
        return "now"
    return f"in {duration_text(last)} at the latest" if first == 0 else f"in {duration_text(first)} to {duration_text(last)}"


def _doing(forecast: Forecast, now: int) -> str:
    match forecast.doing:
        case Doing.TRYING:
            since = "" if forecast.since is None else f", since {duration_text(max(0, now - forecast.since) / SECOND)}"
            return f"at attempt {forecast.attempt}, which is under way{since}"
        case Doing.WAITING:
            return f"waiting out its backoff after attempt {forecast.attempt}"
        case _:
            return forecast.doing
