"""Makes `tinypool_nb/course/incident.parquet` anew, the recording that notebook 08 replays: the five broken modules of notebook 07.

python tests/course/record_incident.py
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import tinypool_nb as tp
from tinypool_nb.course import ward


async def main() -> None:
    """Break them, bring two of them back, and save."""
    with tp.Lab() as lab, tp.Pool(ward.OPTIONS) as pool:
        await ward.break_five(lab, pool)
        pool.mark("orders is started, stock is woken up")
        lab["orders-v1"].restart()
        lab["stock-v1"].thaw()
        for name in ("orders-v1", "stock-v1"):
            await pool.until(name, "READY", timeout=30)
            pool.send(name, payload="{}")
        await asyncio.sleep(2)
        for name in ward.PATIENTS:
            pool.explain(name)  # so that what was looked at is in the record, too
        pool.save(tp.course.recording())


if __name__ == "__main__":
    asyncio.run(main())
