// Draws each plot of a report in the colours of the page: light or dark on a screen, light on paper, and as wide as there is room.
"use strict";
(() => {
  const dark = matchMedia("screen and (prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const pairs = JSON.parse(document.currentScript.previousElementSibling.textContent); // whatever a notebook calls its own elements
  const towards = { light: new Map(pairs.map(([light, dark]) => [dark, light])), dark: new Map(pairs) };

  const isTransparent = (colour) => colour === "transparent" || /^rgba\(.*,\s*0(\.0*)?\)$/.test(colour ?? "");

  // The theme of the page itself, which may be fixed: its own paint tells.
  function theme() {
    const channels = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
    return channels[0] + channels[1] + channels[2] < 384 ? "dark" : "light";
  }

  // A colour may be followed by how opaque it is: #rrggbbaa.
  function recolouredText(text, colours) {
    const opacity = /^#[0-9a-f]{8}$/.test(text) ? text.slice(7) : "";
    const other = colours.get(opacity ? text.slice(0, 7) : text);
    return other === undefined ? text : other + opacity;
  }

  function recoloured(value, colours) {
    if (typeof value === "string") return recolouredText(value, colours);
    if (Array.isArray(value)) return value.map((item) => recoloured(item, colours));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, recoloured(item, colours)]));
  }

  // What has a paper of its own is legible as it is; what is transparent takes the ink and the rules of the page.
  function fitting(figure) {
    if (!isTransparent(figure.layout.paper_bgcolor)) return structuredClone(figure);
    const { data, layout } = recoloured(figure, towards[theme()]);
    const page = getComputedStyle(document.body);
    layout.font = { color: page.color, ...layout.font };
    for (const axis of ["xaxis", "yaxis"]) {
      const look = layout.template?.layout?.[axis];
      if (look) look.gridcolor = look.zerolinecolor = look.linecolor = page.getPropertyValue("--jp-border-color2");
    }
    return { data, layout };
  }

  function draw(place, figure) {
    const { data, layout } = fitting(figure);
    // A width that the figure asks for is its greatest: it is never cut. Without one plotly.js follows the window by itself, but
    // later than a printer waits.
    if (layout.width || paper.matches) layout.width = Math.min(layout.width ?? Infinity, place.clientWidth);
    return Plotly.react(place, data, layout, { displaylogo: false, responsive: true, ...figure.config });
  }

  for (const place of document.querySelectorAll(".tinypool-plot")) {
    const source = place.querySelector(":scope > script");
    if (!source) continue; // somebody else's, of the same name
    const figure = JSON.parse(source.textContent);
    if (!figure.layout) continue;
    draw(place, figure);
    for (const change of [dark, paper]) change.addEventListener("change", () => draw(place, figure));
    if (!figure.layout.width) continue;
    let room = place.clientWidth;
    new ResizeObserver(() => {
      if (place.clientWidth === room) return;
      room = place.clientWidth;
      draw(place, figure);
    }).observe(place);
  }
})();
