"""Hostile names in what Prometheus scrapes: each is a label's value, whole, and makes no line of its own."""

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

import tinypool_nb as tp
from tests.security.corpus import HOSTILE


def test_each_name_is_the_value_of_a_label_and_nothing_else() -> None:
    names = {name for name in HOSTILE.values() if "/" not in name}
    with tp.Pool() as pool:
        for name in sorted(names):
            pool.register(name, "127.0.0.1:1")
        with urlopen(pool.serve_metrics(0).url, timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            text = answer.read().decode()
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith(("tinysystems_", "tinypool_", "grpc_")) for family in families)
    states = [sample.labels for family in families for sample in family.samples if sample.name == "tinysystems_client_pool_connections"]
    assert {labels["module"] for labels in states} == names
    assert {labels["state"] for labels in states} <= {*tp.State, "UNKNOWN"}
    assert all(set(labels) == {"module", "state"} for labels in states)


def test_a_page_of_metrics_is_never_taken_for_html() -> None:
    with tp.Pool() as pool, urlopen(pool.serve_metrics(0).url, timeout=10) as answer:
        assert "html" not in answer.headers["Content-Type"]
