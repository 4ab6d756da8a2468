"""How frames look: times short, reasons whole; and that what is in them stays as it is."""

import pandas as pd
import pytest

from tinypool_nb.views.table import NOTE, Table

TIME = pd.Timestamp("2026-01-05 12:00:00.123456789", tz="UTC")
REASON = "UNKNOWN: ipv4:127.0.0.1:50051: Failed to connect to remote host: Connection refused"


@pytest.fixture
def table() -> Table:
    return Table({"time": pd.Series([TIME, pd.NaT]), "state": pd.Categorical(["READY", "IDLE"]), "reason": [REASON, ""]})


def test_times_are_shown_to_the_millisecond_and_kept_to_the_nanosecond(table: Table) -> None:
    text, html = repr(table), table._repr_html_()
    assert "12:00:00.123 " in text
    assert "456789" not in text
    assert "NaT" in text
    assert text.endswith(f"[{NOTE}]")
    assert str(table) == text
    assert html is not None
    assert "<td>2026-01-05 12:00:00.123</td>" in html
    assert NOTE in html
    assert table["time"].iloc[0] == TIME


def test_a_reason_is_shown_to_its_end_unless_somebody_set_a_width(table: Table) -> None:
    assert "Connection refused" in (table._repr_html_() or "")
    with pd.option_context("display.max_colwidth", 20):
        assert "Connection refused" not in (table._repr_html_() or "")


def test_what_is_picked_from_it_looks_the_same(table: Table) -> None:
    for picked in (table[["time", "state"]], table.query("state == 'READY'"), table.head(1), table.assign(waited=1.0)):
        assert repr(picked).endswith(f"[{NOTE}]")


def test_what_has_no_time_in_utc_looks_as_ever(table: Table) -> None:
    berlin = table.assign(time=table["time"].dt.tz_convert("Europe/Berlin"))
    for frame in (table[["state"]], table.head(0), berlin, Table()):
        assert repr(frame) == repr(pd.DataFrame(frame))


def test_columns_of_one_name_do_not_confuse_it(table: Table) -> None:
    twice = pd.concat([table[["time"]], table[["time"]]], axis=1)
    assert repr(twice).count("12:00:00.123") == 2


def test_it_is_equal_to_a_plain_frame(table: Table) -> None:
    assert table.equals(pd.DataFrame(table))
    assert pd.DataFrame(table).equals(table)


def test_names_are_not_broken_and_long_texts_are(table: Table) -> None:
    html = table.assign(module="http-module-v1", hostile="<b>" * 20)._repr_html_() or ""
    assert "<td>http-module-v1</td>" in html
    assert f'<td class="long">{REASON}</td>' in html
    assert f'<td class="long">{"&lt;b&gt;" * 20}</td>' in html


def test_who_wants_no_html_gets_none(table: Table) -> None:
    with pd.option_context("display.notebook_repr_html", False):
        assert table._repr_html_() is None
