"""The rooms of the house as a picture, drawn from the contract in pyproject.toml that `make lint` holds."""

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "tinypool_nb" / "docs" / "layers.svg"
WIDTH, ROW, BOX, GAP = 760, 46, 30, 10
"""Pixels."""


def layers() -> list[list[str]]:
    """The rooms of each layer, the highest first; a room imports only from layers below its own.

    >>> layers()[-1]
    ['errors']
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [[room.strip(" ()") for room in layer.split("|")] for layer in contract["layers"]]


def layers_svg() -> str:
    """A row a layer, on white or black alike; its text says the same."""
    rows = layers()
    told = "; ".join(" and ".join(row) for row in rows)
    height = len(rows) * ROW + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="14">',
        f"<title>The rooms of tinypool_nb, the highest first: {escape(told)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
    ]
    for number, row in enumerate(rows):
        wide = (WIDTH - 2 * GAP - (len(row) - 1) * GAP) / len(row)
        y = number * ROW + GAP
        for place, room in enumerate(row):
            x = GAP + place * (wide + GAP)
            parts.append(f'<rect x="{x:g}" y="{y}" width="{wide:g}" height="{BOX}" rx="4" fill="#e8f1fa" stroke="#0072b2"/>')
            parts.append(f'<text x="{x + wide / 2:g}" y="{y + 20}" text-anchor="middle" fill="#1b1b1b">{escape(room)}</text>')
        if number:
            parts.append(f'<path d="M{WIDTH / 2:g} {y - 15}v11m-4 -5l4 5l4 -5" fill="none" stroke="#555555"/>')
    below = f'<text x="{WIDTH / 2:g}" y="{height - 6}" text-anchor="middle" fill="#555555" font-size="12">imports go down only</text>'
    return "\n".join([*parts, below, "</svg>"]) + "\n"
