"""`pool.connections(live=True)` changes the picture that stands there; it does not add one below the other."""

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import tinypool_nb as tp


def test_every_picture_after_the_first_replaces_it() -> None:
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))  # else it starts a thread for its history
    try:
        with tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.1, maximum=0.1))) as pool, capture_output() as captured:
            pool.register("http-module-v1", "127.0.0.1:1")
            table = pool.connections(live=True)
            table._ipython_display_()
            pool.health_check()
            pool.wait("http-module-v1", "TRANSIENT_FAILURE", timeout=5)
            pool.register("api-module-v1", "127.0.0.1:1")
            pool.catch_up()
            table.stop()
        first, *later = captured.outputs
        assert later
        assert not first.update
        assert all(output.update for output in later)
        assert len({output.transient["display_id"] for output in captured.outputs}) == 1
        assert 'data-state="IDLE"' in first.data["text/html"]
        assert 'data-state="TRANSIENT_FAILURE"' in later[-1].data["text/html"]
        assert "api-module-v1" in later[-1].data["text/plain"]
    finally:
        InteractiveShell.clear_instance()
