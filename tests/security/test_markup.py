"""HTML, SVG and figures of the whole corpus, read as a browser reads them: no element or attribute comes from a text."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tinypool_nb as tp
from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.plots import plot_html, script_json
from tinypool_nb.views import pictures
from tinypool_nb.views.forecasts import forecast_html
from tinypool_nb.views.overview import overview
from tinypool_nb.widgets.still import picture_bundle

ELEMENTS = frozenset(
    {"caption", "code", "desc", "div", "img", "p", "path", "span", "style", "svg", "table", "tbody", "td", "th", "thead", "tr"}
)
ATTRIBUTES = frozenset(
    "alt aria-hidden class colspan d data-state fill height scope src stroke style title transform viewbox width".split()  # noqa: SIM905
)


class Reader(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


@pytest.fixture(scope="module")
def record() -> Record:
    return Record(hostile_journal())


def pages(record: Record) -> Iterator[str]:
    frame = record.connections()
    for begin in range(0, len(frame), 60):  # a table shows sixty
        yield pictures.connections_html(frame.iloc[begin : begin + 60])
    yield overview(record.journal, record.known())["text/html"]
    yield picture_bundle(record.journal)["text/html"]


def test_tables_and_pictures_hold_our_elements_and_no_others(record: Record) -> None:
    told = ""
    for page in pages(record):
        read = Reader(page)
        assert read.elements <= ELEMENTS
        assert {name for name, _ in read.attributes} <= ATTRIBUTES
        assert all(value.startswith("data:image/svg+xml;base64,") for name, value in read.attributes if name == "src")
        assert {value for name, value in read.attributes if name == "style"} <= {"max-width: 100%", "max-width:100%"} | {
            value for _, value in read.attributes if re.fullmatch(r"fill:var\(--tinypool-[a-z-]+,#[0-9a-f]{6}\)", value)
        }
        told += read.text + " ".join(value for name, value in read.attributes if name == "title")
    for text in ALL.values():
        assert one_line(text)[:20] in told
    names = re.findall(r'class="([^"]*)"', next(pages(record)))
    assert any("mathjax_ignore" in name and "tex2jax_ignore" in name for name in names)


def test_the_svg_is_xml_and_holds_neither_script_nor_reference(record: Record) -> None:
    for modules in (None, *([str(key)] for key in record.known())):
        svg = pictures.timeline_svg(record.intervals(), record.marks(), record.calls(), now=record.now(), modules=modules)
        root = ET.fromstring(svg)  # noqa: S314  our own, which refuses entities anyway
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
            "svg", "title", "desc", "defs", "pattern", "rect", "path", "g", "text"
        }  # fmt: skip
        attributes = {name for element in root.iter() for name in element.attrib}
        assert not any(name.startswith("on") or "href" in name for name in attributes)


def test_a_forecast_is_inert() -> None:
    with tp.Pool() as pool:
        pool.register("module", "127.0.0.1:1")
        forecast = pool.follow("module").now()
    for text in ALL.values():
        assert Reader(forecast_html(text, forecast, 0)).elements == {"p"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_figure_holds_a_tag_a_template_or_a_formula_of_theirs(record: Record, theme: str) -> None:
    figures = [record.timeline(theme=theme), *(record.backoff_plot(key, theme=theme) for key in record.known())]  # type: ignore[arg-type]
    for figure in figures:
        for text in strings(figure.to_plotly_json()):
            assert set(re.findall(r"<\s*/?\s*([A-Za-z!][\w-]*)", text)) <= {"b", "br", "extra"}, text
            assert "$" not in text
            assert not re.search(r"%\{(?!x|y|customdata|hovertext|text)", text)


def strings(value: object) -> Iterator[str]:
    """Every text in a figure, but what only names things to programs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in {"meta", "customdata", "uid"}:
                yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)
    elif isinstance(value, np.ndarray):
        yield from strings(value.tolist())


def test_json_in_a_page_cannot_end_its_script() -> None:
    text = script_json(list(ALL.values()))
    assert not re.search("[<>&]", text)
    page = plot_html({"data": [], "layout": {"title": {"text": ALL["end of a script"]}, "meta": {"description": ALL["attribute"]}}})
    read = Reader(page)
    assert read.elements == {"div", "script", "noscript"}
    assert {name for name, _ in read.attributes} == {"class", "role", "aria-label", "style", "type"}


def test_names_that_look_like_paths_make_no_file(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    for page in pages(record):
        assert page
    record.timeline()
    record.save("recording.parquet")
    again = tp.open_recording("recording.parquet")
    assert again.known() == record.known()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [inside / "recording.parquet"]
    assert not Path("/tmp/pwned").exists()  # noqa: S108
