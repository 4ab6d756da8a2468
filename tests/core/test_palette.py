"""The looks of the states can be read, and told apart by people who see few colours or none."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from tinypool_nb.core.palette import PALETTES, SEVERITY, TILE, Palette, contrast, ink_on, luminance
from tinypool_nb.core.states import STATES, UNKNOWN, WORST_FIRST, State

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB.
SIGHTS = {
    "all colours": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
LEAST_DISTANCE = 15.0
"""Delta E (CIE 1976); 2.3 is just noticeable."""


def seen(colour: str, sight: NDArray[np.float64]) -> NDArray[np.float64]:
    """`#rrggbb` in CIELAB, as the sight has it."""
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(sight @ linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture(params=PALETTES, name="palette")
def _palette(request: pytest.FixtureRequest) -> Palette:
    palette: Palette = PALETTES[request.param]
    return palette


def test_every_state_and_the_gap_have_a_look(palette: Palette) -> None:
    assert set(palette.looks) == {state.code for state in STATES} | {UNKNOWN}
    assert [palette.looks[state.code].label for state in STATES] == list(STATES)


def test_all_text_can_be_read(palette: Palette) -> None:
    assert contrast(palette.ink, palette.page) >= 4.5
    for look in palette.looks.values():
        assert contrast(look.ink, look.colour) >= 4.5, look.label


def test_the_light_ink_can_be_read_on_a_dark_page_too() -> None:
    assert contrast(PALETTES["light"].ink, PALETTES["dark"].page) >= 3.5


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_can_be_told_apart(palette: Palette, sight: str) -> None:
    colours = {look.label: look.colour for look in palette.looks.values()} | {"the page": palette.page}
    for one, other in combinations(colours, 2):
        distance = np.linalg.norm(seen(colours[one], SIGHTS[sight]) - seen(colours[other], SIGHTS[sight]))
        assert distance >= LEAST_DISTANCE, (one, other)


@pytest.mark.parametrize("of", ["shape", "path", "symbol", "letter", "label"])
def test_states_can_be_told_apart_without_any_colour(palette: Palette, of: str) -> None:
    assert len({getattr(look, of) for look in palette.looks.values()}) == len(palette.looks)


def test_hatches_can_be_seen_on_their_colour(palette: Palette) -> None:
    for look in palette.looks.values():
        assert contrast(look.hatch, look.colour) >= 1.9, look.label
        assert bool(look.shape) == bool(look.path)
        assert look.shape in {"", "/", "\\", "x", "-", "|", "+", "."}
    assert TILE == 8  # the paths are drawn for it


def test_severity_follows_the_states_with_the_gap_below_transient_failure() -> None:
    worst_first = sorted(SEVERITY, key=lambda code: -SEVERITY[code])
    assert worst_first[:2] == [State.TRANSIENT_FAILURE.code, UNKNOWN]
    assert [code for code in worst_first if code != UNKNOWN] == [state.code for state in WORST_FIRST]


def test_some_ink_can_be_read_on_any_colour() -> None:
    rng = np.random.default_rng(0)
    for red, green, blue in rng.integers(0, 256, (500, 3)):
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        assert contrast(ink_on(colour), colour) >= 4.5
    assert luminance("#ffffff") == pytest.approx(1.0)
