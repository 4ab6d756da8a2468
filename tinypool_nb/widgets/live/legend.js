// The states: what their colours and patterns mean, how many modules are in each now, and a filter by them.

import { element, mark, write } from "./elements.js";

const SWATCH = 14; // pixels

export class Legend {
  /**
   * @param theme a Theme
   * @param order codes of the states, as they stand
   * @param pick is called with the Set of codes that are pressed
   */
  constructor(theme, order, pick) {
    this.theme = theme;
    this.pressed = new Set();
    this.items = order.map((code) => {
      const { label, meaning } = theme.look.states[code];
      const swatch = element("canvas", { class: "tinypool-live-swatch", "aria-hidden": "true" });
      const count = element("b", {}, "0");
      const item = element("button", { type: "button", "aria-pressed": "false", title: `${label}: ${meaning}. Press to see only these modules.`, "data-state": label, "data-count": "0" }, swatch, `${label} `, count);
      item.addEventListener("click", () => {
        if (!this.pressed.delete(code)) this.pressed.add(code);
        item.setAttribute("aria-pressed", String(this.pressed.has(code)));
        pick(this.pressed);
      });
      return { code, item, swatch, count };
    });
    this.root = element("div", { class: "tinypool-live-states", role: "group", "aria-label": "show only modules in these states" }, ...this.items.map(({ item }) => item));
    this.paint();
  }

  /** In the colours of the theme. */
  paint() {
    const scale = window.devicePixelRatio || 1;
    for (const { code, swatch } of this.items) {
      swatch.width = swatch.height = Math.round(SWATCH * scale);
      const context = swatch.getContext("2d");
      context.scale(scale, scale);
      context.fillStyle = this.theme.fill(context, code, 0, scale);
      context.fillRect(0, 0, SWATCH, SWATCH);
    }
  }

  /** @param counts modules in each state, by code */
  show(counts, seen) {
    for (const { code, item, count } of this.items) {
      const number = String(counts.get(code) ?? 0);
      item.hidden = code < 0 && !seen.has(code); // most records have no gap
      mark(item, "count", number);
      write(count, number);
    }
  }
}
