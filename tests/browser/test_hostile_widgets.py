"""The corpus of hostile texts in a real JupyterLab, in both themes: explanations, lessons, discoveries, resources and a replay."""

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_hostile_in_jupyterlab import THEMES
from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tests.security.harmless import Watched
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record
from tinypool_nb.views.wording import cut

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import JupyterLab, Notebook, OpenNotebook

NAMES = [name for name in HOSTILE.values() if "/" not in name]
TEXTS = [text for text in ALL.values() if text]
HIGH = 2400
"""Pixels in which all cells have room: JupyterLab takes those out of the page that nobody sees."""
BEGIN = f"""\
import json
import tinypool_nb as tp

names = json.loads({json.dumps(json.dumps(NAMES))})
texts = json.loads({json.dumps(json.dumps(TEXTS))})
pool = tp.Pool()
"""
REGISTER = """\
for name in names:
    pool.register(name, "127.0.0.1:1")
pool.health_check()
"""
LESSONS = """\
from dataclasses import replace
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.stepping import Act, Progress, Result, Script, Standing, Step
from tinypool_nb.notebook.stepping import step_verbs
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.stepper import StepperWidget
from tinypool_nb.widgets.worker import Worker

STANDINGS = (Standing.MET, Standing.UNMET, Standing.UNDER_WAY)

class Said:
    "A lesson that stands somewhere, whoever clicks what."

    def __init__(self, name):
        script, = [script for script in scripts if script.name == name]
        results = [Result(standing, began=1, acted=2, note=name, said=f"{name}!") for standing in STANDINGS]
        self.progress, self.heard = Progress(script, tuple(results)), []

    def next(self, *, wait=True):
        for listener in self.heard:
            listener()

    play, reset, close = next, (lambda self: None), (lambda self: None)

    def listen(self, listener):
        self.heard.append(listener)

    def unlisten(self, listener):
        self.heard.remove(listener)

steps = {text: (Step(text, Act.START, text, (), text),) * 4 for text in texts}
scripts = tuple(Script(name=text, title=text, about=text, options=PoolOptions(), steps=steps[text]) for text in texts)
publisher, worker = Publisher(pool.journal, pool.follower), Worker()
stepper = StepperWidget(pool.journal, publisher, worker, replace(step_verbs(pool), scripts=scripts, open_lesson=Said))
stepper"""
DISCOVERIES = """\
from dataclasses import replace
from datetime import UTC, datetime
from tinypool_nb.core.discovering import Scope, Standing
from tinypool_nb.core.discovery_status import DiscoveryReport, DiscoveryStatus
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.notebook.explorer import verbs_of
from tinypool_nb.widgets.discoveries import DiscoveryLines
from tinypool_nb.widgets.publisher import Publisher

def report(number, text):
    right = MissingRight(403, text, text, text, text) if number % 3 == 0 else None
    since = datetime(2026, 1, 5, 12, tzinfo=UTC) if number % 3 < 2 else None
    status = DiscoveryStatus(number % 3 == 2, since, text, right, text)
    return DiscoveryReport(Scope(f"https://{text}", text, text), text, status, {Standing.WAITING: 1})

reports = [report(number, text) for number, text in enumerate(texts)]
publisher = Publisher(pool.journal, pool.follower)
lines = DiscoveryLines(publisher, replace(verbs_of(pool), discoveries=lambda: reports))
lines"""
RESOURCES = """\
lab = tp.Lab(kubernetes=True)
for number, text in enumerate(texts):
    component = {"name": text, "description": text, "info": text, "tags": [text]}
    status = {"name": text, "version": text, "sdkVersion": text, "components": [component]}
    lab.resources.create(f"module-{number:02}", addr=text if number % 2 else "127.0.0.1:1", status=status, image=text)
pool.discover(kubeconfig=lab.kubeconfig).wait(30)
pool.panel()"""
REST = """\
from IPython.display import display

modules = pool.modules()
for name in modules["module"][modules["state"] == "quarantined"]:
    display(pool.explain(name))
modules"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def shown(notebook: "Notebook", what: str) -> "Locator":
    """What the first cell shows."""
    notebook.run()
    place = notebook.cell(0).locator(what)
    place.first.wait_for()
    notebook.wait_until_idle()
    return place


def ended(notebook: "Notebook", cell: int) -> None:
    """The last cell, which closes all, says so, and nobody has complained."""
    notebook.page.evaluate("number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number; }", cell)
    notebook.run()
    notebook.cell(cell).locator(".jp-OutputArea").get_by_text("the end").wait_for(state="attached")
    assert notebook.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []


def in_both_themes(notebook: "Notebook", watched: Watched, inside: str) -> None:
    """Nothing happened, and nothing does where all of it is drawn anew."""
    watched.check(inside)
    notebook.set_theme("dark")
    watched.check(inside)


def explained(panel: "Locator") -> list[str]:
    """Each module's explanation is asked for and unfolded; the findings of each, as text."""
    why = panel.locator(".tinypool-why")
    choice, answer = why.get_by_label("Explain which module"), why.locator(".tinypool-why-answer")
    told = []
    for number, name in list(enumerate(choice.locator("option").all_text_contents()))[1:]:
        choice.select_option(index=number)
        expect(answer).to_have_attribute("data-module", cut(name, 80))  # the kernel has answered, and what it says is drawn
        answer.evaluate("(root) => root.querySelectorAll('details').forEach((one) => { one.open = true; })")
        told.append(answer.text_content() or "")
    return told


def test_the_explanation_of_each_name(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([BEGIN + REGISTER + "pool.panel()", 'pool.close()\n"the end"'], height=HIGH)
    watched = Watched(notebook.page)
    panel = shown(notebook, ".jp-OutputArea")
    expect(panel.locator(".tinypool-why option")).to_have_count(len(NAMES) + 1)
    told = explained(panel)
    assert len(told) == len(NAMES)
    assert all("refuse" in each for each in told), "each has its finding"
    for name in NAMES:
        assert any(one_line(name)[:20] in each for each in told), name
    in_both_themes(notebook, watched, ".tinypool-why, .tinypool-summary")
    ended(notebook, 1)


def test_each_text_as_a_lesson_and_each_name_as_a_module_to_hold(open_notebook: "OpenNotebook") -> None:
    end = 'stepper.close()\nworker.close()\npublisher.close()\npool.close()\n"the end"'
    notebook = open_notebook([BEGIN + REGISTER + LESSONS, end], height=HIGH)
    watched = Watched(notebook.page)
    stepper = shown(notebook, ".tinypool-stepper")
    lesson = stepper.locator(".tinypool-lesson")
    choice = lesson.locator("select")
    expect(choice.locator("option")).to_have_count(len(TEXTS))
    for number, text in enumerate(TEXTS):
        choice.select_option(index=number)
        expect(lesson.locator(".tinypool-title").first).to_contain_text(one_line(text)[:20].strip())
        lesson.locator("button[data-act=next]").click()
        expect(lesson.locator("li").nth(1)).to_have_attribute("data-state", "not as expected")
    watched.check(".tinypool-stepper")
    stepper.locator("button[data-view=own]").click()
    own = stepper.locator(".tinypool-own")
    modules = own.locator("select")
    expect(modules.locator("option")).to_have_count(len(NAMES))
    assert modules.locator("option").all_text_contents() == [one_line(name) for name in NAMES]  # in the order in which it is written
    for number, name in enumerate(NAMES):
        modules.select_option(value=name)
        expect(own.locator(".tinypool-reason")).to_contain_text("refused")
        if number % 10 == 0:
            own.get_by_label("Hold").check()
            own.locator("button[data-act=attempt]").click()
            expect(own.locator(".tinypool-report")).to_have_attribute("data-state", "failed")
            own.get_by_label("Follow").check()
    in_both_themes(notebook, watched, ".tinypool-stepper")
    ended(notebook, 1)


def test_the_lines_of_discoveries(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([BEGIN + DISCOVERIES, 'lines.close()\npublisher.close()\npool.close()\n"the end"'], height=HIGH)
    watched = Watched(notebook.page)
    lines = shown(notebook, ".tinypool-discoveries")
    items = lines.locator("ul[aria-label=Discoveries] > li")
    expect(items).to_have_count(len(TEXTS))
    for number, text in enumerate(TEXTS):
        assert one_line(text)[:20].strip() in (items.nth(number).text_content() or ""), text
    lines.evaluate("(root) => root.querySelectorAll('details').forEach((one) => { one.open = true; })")
    in_both_themes(notebook, watched, ".tinypool-discoveries")
    ended(notebook, 1)


def test_the_fields_of_resources(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([BEGIN + RESOURCES, REST, 'pool.close()\nlab.close()\n"the end"'], height=HIGH)
    watched = Watched(notebook.page)
    panel = shown(notebook, ".jp-OutputArea")
    good = (len(TEXTS) + 1) // 2
    expect(panel.locator(".tinypool-why option")).to_have_count(good + 1)
    assert len(explained(panel)) == good
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    notebook.run()
    frame, others = notebook.cell(1).locator("table.dataframe"), notebook.cell(1).locator(".tinypool-explanation")
    frame.wait_for()
    expect(others).to_have_count(len(TEXTS) - good)
    told = others.all_text_contents()
    assert all("is quarantined by discovery, and not dialled" in each for each in told)
    in_both_themes(notebook, watched, ".tinypool-why, .tinypool-discoveries, .tinypool-row, .tinypool-explanation, table.dataframe")
    ended(notebook, 2)


def test_a_replay_of_all(open_notebook: "OpenNotebook", jupyterlab: "JupyterLab") -> None:
    Record(hostile_journal()).save(jupyterlab.notebooks / "hostile.parquet")
    cells = ["import tinypool_nb as tp\nreplay = tp.open_recording('hostile.parquet').panel()\nreplay", 'replay.close()\n"the end"']
    notebook = open_notebook(cells, height=HIGH)
    page, watched = notebook.page, Watched(notebook.page)
    view = shown(notebook, ".tinypool-live").first
    expect(view).to_have_attribute("data-status", "replay")
    for theme in THEMES:
        notebook.set_theme(theme)
        view.get_by_role("slider", name="position in the recording").press("Home")
        view.get_by_label("speed").select_option("600")
        view.get_by_role("application").press("Space")
        expect(view.get_by_role("button", name="Play")).to_be_visible()  # it came to its end
        view.get_by_role("button", name="To the mark before").click()
        canvas = view.locator("canvas").first.bounding_box()
        assert canvas is not None
        chosen = view.locator(".tinypool-live-names li[data-chosen=true]:visible")
        for number in range(len(ALL)):  # the pointer goes over every lane, and what is told of it comes up
            view.get_by_role("application").press("ArrowDown")
            expect(chosen).to_have_attribute("data-row", str(number))
            lane = chosen.bounding_box()
            assert lane is not None
            page.mouse.move(canvas["x"] + canvas["width"] * 0.8, lane["y"] + lane["height"] / 2)
            expect(view.locator(".tinypool-live-tip")).to_contain_text("channel 1")
        view.get_by_role("application").press("Escape")
        watched.check(".tinypool-live")
    ended(notebook, 1)
