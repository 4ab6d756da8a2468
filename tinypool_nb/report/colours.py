"""The colours by which a drawing made for a light page follows a dark one."""

from tinypool_nb.core.palette import PALETTES


def colour_pairs() -> list[tuple[str, str]]:
    """Each colour of our light figures with its dark counterpart, so that a plot can follow the page.

    >>> ("#0072b2", "#3b9ad9") in colour_pairs()
    True
    """
    light, dark = PALETTES["light"], PALETTES["dark"]
    pairs = {light.page: dark.page, light.ink: dark.ink, light.grid: dark.grid}
    for code, look in light.looks.items():
        pairs |= {look.colour: dark.looks[code].colour, look.hatch: dark.looks[code].hatch}
    return list(pairs.items())
