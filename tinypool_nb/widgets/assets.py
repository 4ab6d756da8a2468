"""The scripts and styles of the panel, read from the package and joined: no build step, and nothing is fetched from elsewhere."""

from functools import cache
from importlib.resources import files

from tinypool_nb.core.palette import PALETTES, TILE, Look

_DARK = ':is([data-jp-theme-light="false"],.vscode-dark) '


def script(name: str) -> str:
    """The script `browser/<name>.js` as a module of its own, with what all of them share before it.

    >>> script("section").rstrip().endswith("export default { render };")
    True
    """
    return f"{_text('common.js')}\n{_text(f'{name}.js')}"


@cache
def style() -> str:
    """The one style sheet of all parts of the panel, with the looks of the states."""
    looks = [_swatch("", look) for look in PALETTES["light"].looks.values()]
    looks += [_swatch(_DARK, look) for look in PALETTES["dark"].looks.values()]
    return "\n".join([_text("panel.css"), *looks])


def sheet(name: str) -> str:
    """The style sheet `browser/<name>.css` of one part alone.

    >>> ".tinypool-why" in sheet("explaining")
    True
    """
    return _text(f"{name}.css")


def _swatch(theme: str, look: Look) -> str:
    """The rule that paints a state's swatch. A page may have its own colours: --tinypool-ready and so on."""
    name = look.label.lower().replace("_", "-")
    rule = f"background-color:var(--tinypool-{name},{look.colour})"
    if look.path:
        path = f"<path d='{look.path}' stroke='{look.hatch}' fill='none'/>"
        drawn = f"<svg xmlns='http://www.w3.org/2000/svg' width='{TILE}' height='{TILE}'>{path}</svg>"
        rule += f';background-image:url("data:image/svg+xml,{drawn.replace("#", "%23").replace("<", "%3C").replace(">", "%3E")}")'
    return f'{theme}.tinypool-swatch[data-state="{look.label}"]{{{rule}}}'


def _text(name: str) -> str:
    return files(__package__).joinpath("browser", name).read_text(encoding="utf-8")
