"""Names that want to be more than names, through the real timeline, backoff plot and pool table, in a report in a real browser."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import tinypool_nb as tp
from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Mark, MarkKind, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.writing import write_notebook_report
from tinypool_nb.views.pictures import connections_html
from tinypool_nb.views.wording import cut, one_line

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

    from tests.conftest import Browser

NAMES = (
    "<script>window.pwned=1;alert(1)<\\script>",
    "</script><script>window.pwned=1</script>",
    "<img src=https://spy.example/x onerror='window.pwned=1'>",
    '<a href="javascript:window.pwned=1">press</a>',
    "<b>bold</b>",
    'it\'s "quoted"',
    "%{x} %{customdata[0]}",
    "$\\alpha$",
    "&lt;i&gt; &amp;",
    "módulo 🚀 模块",
    "\u202eevil שלום",
    "n" * 253,
)
REGISTERED = [name for name in NAMES if "/" not in name]
"""A pool takes no slash in a name; a recording that somebody else wrote may hold one."""
SHOWN = [one_line(name) for name in NAMES]
SECOND = 1_000_000_000


def record() -> Record:
    """Each name failed twice and came back; its errors and its marks say its name, and so does a mark about all."""
    journal = Journal()
    start = journal.clock.now() - 60 * SECOND
    for number, name in enumerate(NAMES, start=1):
        channel = ChannelIdentity(number, ModuleKey(None, name), "127.0.0.1:1", 1)
        story = ((0, State.IDLE), (1, State.CONNECTING), (2, State.TRANSIENT_FAILURE), (3, State.TRANSIENT_FAILURE), (5, State.READY))
        previous = None
        for second, state in story:
            reason = f"no route to {name}" if state is State.TRANSIENT_FAILURE else ""
            journal.append(Transition(start + second * SECOND, channel, previous, state, reason, Evidence.SEEN))
            previous = state
        for begin, outcome in ((1, Outcome.FAILED), (2, Outcome.FAILED), (4, Outcome.READY)):
            reason = f"no route to {name}" if outcome is Outcome.FAILED else ""
            at = start + begin * SECOND
            journal.append(Attempt(channel, number, f"ipv4:{name}", at, at + SECOND // 10, outcome, reason, Evidence.SEEN))
        journal.append(Mark(start + number * SECOND, MarkKind.ACTION, f"register {name}", channel.key))
        journal.append(Mark(start + 4 * number * SECOND, MarkKind.NOTE, name, None))
    return Record(journal)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a real pool, and of a record the table, the timeline, and a backoff plot a name."""
    with tp.Pool() as pool:
        for name in REGISTERED:
            pool.register(name, "127.0.0.1:1")
        bundles: list[dict[str, Any]] = [pool._repr_mimebundle_()]
    seen = record()
    bundles.append({"text/html": connections_html(seen.connections())})
    figures = (seen.timeline(), *map(seen.backoff_plot, seen.known()))
    bundles += [{"application/vnd.plotly.v1+json": json.loads(figure.to_json())} for figure in figures]
    cells = [new_code_cell("# shown", outputs=[new_output("display_data", bundle)]) for bundle in bundles]
    out = tmp_path_factory.mktemp("hostile") / "hostile.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Hostile"), *cells]), out)
    write_notebook_report(out, out.with_suffix(".html"))
    return out.with_suffix(".html")


def opened(browser: "Browser", report: Path) -> tuple["Page", list[str]]:
    """The report, and what dialogs it showed."""
    page = browser.open("about:blank")
    dialogs: list[str] = []

    def dismiss(dialog: "Dialog") -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(report.as_uri())
    page.wait_for_function("n => document.querySelectorAll('.js-plotly-plot .main-svg').length >= n", arg=1 + len(NAMES))
    return page, dialogs


def texts(page: "Page", selector: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(selector, "all => all.map(one => one.textContent)")
    return found


@pytest.mark.browser
def test_names_are_shown_as_text_and_nothing_runs(browser: "Browser", report: Path) -> None:
    page, dialogs = opened(browser, report)
    timeline = ".tinypool-plot >> nth=0"
    assert texts(page, ".tinypool-connections tbody th") == [cut(one_line(name), 60) for name in (*REGISTERED, *NAMES)]
    for name, error in zip(SHOWN, texts(page, ".tinypool-connections .error td"), strict=True):
        assert f"no route to {name}"[:100] in error
    assert texts(page, f"{timeline} >> .yaxislayer-above text") == [cut(name, 32) for name in SHOWN]
    titles = texts(page, ".tinypool-plot .gtitle")
    assert titles == [f"Connections of {len(NAMES)} modules", *(f"Backoff of {cut(name, 60)}" for name in SHOWN)]
    labels = texts(page, f"{timeline} >> .annotation text")
    assert labels
    assert set(labels) <= {cut(name, 40, keep_end=False) for name in SHOWN}
    assert page.locator(".tinypool-plot :is(a, b, i, img, foreignObject)").count() == 0
    assert page.locator(".tinypool-connections :is(a, b, i, img, script)").count() == 0
    assert page.evaluate("window.pwned") is None
    assert dialogs == []


@pytest.mark.browser
def test_hovers_show_names_and_reasons_as_text(browser: "Browser", report: Path) -> None:
    page, dialogs = opened(browser, report)
    hovers: list[str] = page.evaluate(
        """async () => {
            const hovers = [];
            const states = new Set(["IDLE", "CONNECTING", "READY"]);
            async function hoverAll(place) {
                const seen = new Set([""]);
                for (const [curveNumber, trace] of place._fullData.entries()) {
                    if (trace.hoverinfo === "skip" || states.has(trace.name)) continue;
                    for (const [pointNumber, text] of trace.hovertext.entries()) {
                        if (seen.has(text)) continue;
                        seen.add(text);
                        Plotly.Fx.hover(place, [{ curveNumber, pointNumber }]);
                        hovers.push(place.querySelector(".hoverlayer").textContent);
                        await new Promise((done) => setTimeout(done, 55));  // plotly hovers once in 50 ms, and the rest later
                    }
                }
            }
            await Promise.all([...document.querySelectorAll(".tinypool-plot")].map(hoverAll));
            return hovers;
        }"""
    )
    for name in SHOWN[:-1]:
        blanks_aside = name.replace(" ", "")  # lines are broken at blanks, and long ones elsewhere
        said = [hover.replace(" ", "") for hover in hovers]
        assert sum(blanks_aside in hover for hover in said) >= 5, name
        assert any(f"norouteto{blanks_aside}" in hover for hover in said), name
        assert any(f"register{blanks_aside}" in hover for hover in said), name
    assert page.evaluate("window.pwned") is None
    assert dialogs == []
