"""What a page of hostile texts must not have become: nothing ran, nothing asked, nothing is there that nobody made."""

from typing import TYPE_CHECKING

from tests.security.test_explained import OURS

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

FOREIGN = ":is(script, iframe, foreignObject, form, link, meta, base, object, embed, img[src='x'], b[onclick])"
"""Elements that none of ours has where foreign text is shown."""


class Watched:
    """A page, and the dialogs that it opens. What it asks for outside and what goes wrong in it, `tests.conftest.Browser` looks at."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.dialogs: list[str] = []
        page.on("dialog", self._dismiss)

    def check(self, inside: str) -> None:
        """Nothing happened, and where `inside` selects there are only elements of ours, whose links lead where ours lead."""
        page = self.page
        assert page.locator(inside).count() > 0
        assert page.locator(f":is({inside}) {FOREIGN}").count() == 0
        attributes: list[str] = page.eval_on_selector_all(
            f":is({inside}) *", "all => [...new Set(all.flatMap((one) => one.getAttributeNames()))].filter((name) => name.startsWith('on'))"
        )
        assert attributes == []
        links: list[str] = page.eval_on_selector_all(f":is({inside}) [href]", "all => all.map((one) => one.getAttribute('href'))")
        assert [link for link in links if not link.startswith("#") and not OURS.match(link)] == []
        assert page.evaluate("[window.pwned ?? null, Object.prototype.pwned ?? null]") == [None, None]
        assert page.locator("body").evaluate("(body) => getComputedStyle(body).display") != "none"
        assert self.dialogs == []

    def _dismiss(self, dialog: "Dialog") -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()
