"""A lesson as a table: what is to come can still be predicted."""

from tinypool_nb.core.stepping import Next, Progress, advance
from tinypool_nb.lab.scripts import SCRIPTS
from tinypool_nb.views.steps import progress_html, progress_text
from tinypool_nb.views.wording import for_xml

SCRIPT = SCRIPTS["first look"]


def test_of_the_steps_to_come_only_the_titles_are_told() -> None:
    for shown, plain in ((progress_html, for_xml), (lambda progress: " ".join(progress_text(progress).split()), str)):
        told = shown(Progress(SCRIPT))
        assert all(plain(step.title) in told for step in SCRIPT.steps)
        assert plain(SCRIPT.steps[0].why) in told
        assert not any(plain(step.why) in told for step in SCRIPT.steps[1:])


def test_a_step_that_was_begun_is_told() -> None:
    begun, _ = advance(Progress(SCRIPT), Next(0))
    assert 'data-state="under way"' in progress_html(begun)
    assert for_xml(SCRIPT.steps[0].expects) in progress_html(begun)
