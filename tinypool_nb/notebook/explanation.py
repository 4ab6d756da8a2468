"""The explanation of a module, as `pool.explain(name)` gives it: a diagnosis that displays itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinypool_nb.core.diagnosis.diagnose import Diagnosis, diagnose
from tinypool_nb.journal.cases import cases

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from tinypool_nb.core.diagnosis.findings import Finding
    from tinypool_nb.core.keys import ModuleKey
    from tinypool_nb.core.options import PoolOptions
    from tinypool_nb.journal.journal import Journal


class Explanation:
    """What is, or was, the matter with a module. It displays itself, as text and as HTML, with everything foreign as text.

    Args:
        diagnosis: what is to be shown.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is so now comes first, the worst before the rest; then what was, the latest first."""
        return self.diagnosis.findings

    def frame(self) -> pd.DataFrame:
        """A row a finding, as `findings()` of the record has them."""
        from tinypool_nb.views import explanations

        return explanations.frame((self.diagnosis,))

    def text(self, *, paint: Callable[[str, str], str] = lambda words, _: words) -> str:
        """The explanation as plain text.

        Args:
            paint: given words and a look ("broken", "trouble", "note", "past", "good", "faint" or "bold"), says how they are to be written.
        """
        from tinypool_nb.views import explanations

        return explanations.text(self.diagnosis, paint=paint)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        shown = str(self.diagnosis.key)
        return f"<Explanation of {shown if shown.isprintable() else ascii(shown)[1:-1]}: {self.diagnosis.verdict}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from tinypool_nb.views import explanations

        return {"text/plain": str(self), "text/html": explanations.html(self.diagnosis)}


def explain(journal: Journal, options: Callable[[ModuleKey], PoolOptions], key: ModuleKey, *, now: int) -> Explanation:
    """The explanation of one module, from what the journal has."""
    return Explanation(diagnose(cases(journal, options, now=now, keys=(key,))[key]))


def all_findings(journal: Journal, options: Callable[[ModuleKey], PoolOptions], *, now: int) -> pd.DataFrame:
    """The findings of all modules that the journal has ever seen."""
    from tinypool_nb.views import explanations

    return explanations.frame(tuple(map(diagnose, cases(journal, options, now=now).values())))
