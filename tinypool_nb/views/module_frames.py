"""What discovery knows of each TinyModule resource, as a pandas frame; its columns are said in `tinypool_nb.views.schemas`."""

from collections.abc import Iterable

import pandas as pd

from tinypool_nb.core.discovering import Known
from tinypool_nb.views.channelz_frames import rows_frame


def modules(known: Iterable[Known]) -> pd.DataFrame:
    """One row for each resource.

    >>> list(modules([]))[:3]
    ['namespace', 'module', 'address']
    """
    return rows_frame("modules", [_row(one) for one in known])


def _row(known: Known) -> tuple[object, ...]:
    module = known.module
    return (
        module.namespace,
        module.name,
        known.address,
        module.version,
        module.sdk_version,
        ", ".join(module.components),
        ", ".join(f"{label}={value}" for label, value in module.labels),
        module.resource_version,
        known.standing,
        known.reason,
        known.seen,
    )
