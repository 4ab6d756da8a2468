// The colours and patterns of the theme that the page has now. They come from tinypool_nb/core/palette.py; none is written here.

/** The name of the page's theme: JupyterLab says it on its body, other pages by what the reader prefers. */
function themeOfPage() {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export class Theme {
  /**
   * @param look {tile, themes: {light, dark}}
   * @param root whose CSS variables follow
   * @param changed is called after each change
   */
  constructor(look, root, changed) {
    this.look = look;
    this.root = root;
    this.changed = changed;
    this.follow();
    this.observer = new MutationObserver(() => this.follow());
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    this.preference = matchMedia("(prefers-color-scheme: dark)");
    this.preference.addEventListener("change", this.follow);
  }

  follow = () => {
    const name = themeOfPage();
    if (name === this.name) return;
    this.name = name;
    this.palette = this.look.themes[name];
    this.tiles = new Map();
    this.root.dataset.theme = name;
    for (const part of ["page", "ink", "grid"]) this.root.style.setProperty(`--tinypool-${part}`, this.palette[part]);
    this.changed();
  };

  close() {
    this.observer.disconnect();
    this.preference.removeEventListener("change", this.follow);
  }

  /**
   * What fills the bars of a state: its colour, with its pattern.
   * @param phase pixels that the pattern is moved to the right, so that it goes along with the bars
   */
  fill(context, code, phase, scale) {
    const { colour, path } = this.palette.looks[code];
    if (!path) return colour;
    const key = `${code} ${scale}`;
    if (!this.tiles.has(key)) this.tiles.set(key, context.createPattern(this.tile(code, scale), "repeat"));
    const pattern = this.tiles.get(key);
    pattern.setTransform(new DOMMatrix([1 / scale, 0, 0, 1 / scale, phase % this.look.tile, 0]));
    return pattern;
  }

  tile(code, scale) {
    const { colour, hatch, path } = this.palette.looks[code];
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.round(this.look.tile * scale);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / this.look.tile, canvas.height / this.look.tile);
    context.fillStyle = colour;
    context.fillRect(0, 0, this.look.tile, this.look.tile);
    context.strokeStyle = hatch;
    context.stroke(new Path2D(path));
    return canvas;
  }
}
