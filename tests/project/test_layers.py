"""ARCHITECTURE.md shows the rooms as they are."""

import re

from tests.project.layers import PICTURE, ROOT, layers, layers_svg


def test_the_picture_of_the_rooms_is_that_of_the_contract() -> None:
    assert PICTURE.read_text() == layers_svg(), "make pictures draws it anew"


def test_the_table_of_the_rooms_names_each_of_them() -> None:
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(room for row in layers() for room in row)
