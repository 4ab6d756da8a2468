"""What discovery made of a module is explained too, of one that the pool never had, and in a recording."""

from pathlib import Path

import tinypool_nb as tp


def test_modules_that_discovery_does_not_dial(tmp_path: Path) -> None:
    with tp.Lab(kubernetes=True) as lab, tp.Pool() as pool:
        lab.resources.create("waiting-module-v1", addr="")
        lab.resources.create("nats-module-v1", addr="nats://nats-module-v1.msg")
        pool.discover(kubeconfig=lab.kubeconfig).wait(timeout=10)
        assert pool.explain("waiting-module-v1").findings[0].cause is tp.Cause.WAITING_FOR_ADDRESS
        quarantined = pool.explain("nats-module-v1")
        assert quarantined.findings[0].cause is tp.Cause.QUARANTINED
        assert "nats://nats-module-v1.msg" in str(quarantined)
        assert set(pool.findings()["module"]) == {"waiting-module-v1", "nats-module-v1"}, "once somebody has looked"
        pool.save(tmp_path / "incident.parquet")
        recorded = tp.open_recording(tmp_path / "incident.parquet")
        assert recorded.explain("nats-module-v1").findings[0].cause is tp.Cause.QUARANTINED
