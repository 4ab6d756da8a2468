"""The heading of a section of the panel, which folds what stands below it."""

import traitlets

from tinypool_nb.widgets.assets import script
from tinypool_nb.widgets.part import Part


class Section(Part):
    """A heading that is a button; it folds the widget that comes after it in the same box, without asking the kernel.

    >>> Section("Timeline").folded
    False
    """

    _esm = script("section")

    title = traitlets.Unicode().tag(sync=True)
    """Text; it is shown as it is, markup included."""
    folded = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether what stands below is hidden."""

    def __init__(self, title: str, *, folded: bool = False) -> None:
        super().__init__(title=title, folded=folded, _dom_classes=("tinypool-panel",))
