// The box beside the pointer, or beside the chosen lane.

import { element } from "./elements.js";

const AWAY = 14; // pixels from the pointer

export class Tooltip {
  constructor(theme) {
    this.theme = theme;
    this.root = element("div", { class: "tinypool-live-tip", role: "tooltip" });
    this.root.hidden = true;
    this.shown = "";
  }

  hide() {
    this.root.hidden = true;
  }

  /**
   * @param lines from `details`
   * @param x pixels from the left of the element in which it stands
   * @param y pixels from its top
   */
  show(lines, x, y) {
    this.root.hidden = !lines.length;
    if (!lines.length) return;
    const text = JSON.stringify([lines, this.theme.name]);
    if (text !== this.shown) {
      this.shown = text;
      this.root.replaceChildren(...lines.map((line) => this.line(line)));
    }
    const { clientWidth, clientHeight } = this.root.offsetParent ?? document.body;
    const { offsetWidth, offsetHeight } = this.root;
    const left = x + AWAY + offsetWidth > clientWidth ? x - AWAY - offsetWidth : x + AWAY;
    const top = y + AWAY + offsetHeight > clientHeight ? y - AWAY - offsetHeight : y + AWAY;
    this.root.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
  }

  line({ kind, text, state }) {
    const line = element("div", { class: `tinypool-live-tip-${kind}` });
    if (kind === "state") {
      const { colour, ink, symbol } = this.theme.palette.looks[state];
      const chip = element("span", { class: "tinypool-live-chip", "aria-hidden": "true" }, symbol);
      chip.style.background = colour;
      chip.style.color = ink;
      line.append(chip, " ");
    }
    line.append(text);
    return line;
  }
}
