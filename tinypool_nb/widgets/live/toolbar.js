// The row of controls: follow or pause, zoom, filter, order.

import { element, write } from "./elements.js";
import { ORDERS } from "./order.js";
import { durationText } from "./words.js";

export class Toolbar {
  /** @param actions {toggle, zoom(factor), filter(text), order(name)} */
  constructor(actions) {
    this.follow = button("Pause", "Pause, or follow now (Space)", actions.toggle);
    this.follow.classList.add("tinypool-live-follow");
    this.span = element("output", { "aria-label": "time in sight", class: "tinypool-live-span" });
    this.filter = element("input", { type: "search", placeholder: "filter by name", "aria-label": "filter by name", spellcheck: "false" });
    this.filter.addEventListener("input", () => actions.filter(this.filter.value));
    // Keys that edit the text are not for JupyterLab; those with Control or Command are.
    this.filter.addEventListener("keydown", (event) => event.ctrlKey || event.metaKey || event.stopPropagation());
    this.order = element("select", { "aria-label": "order of the modules" }, ...Object.entries(ORDERS).map(([name, label]) => element("option", { value: name }, label)));
    this.order.addEventListener("change", () => actions.order(this.order.value));
    this.status = element("span", { class: "tinypool-live-status" });
    this.root = element(
      "div",
      { class: "tinypool-live-bar" },
      this.follow,
      element("span", { class: "tinypool-live-zoom" }, button("−", "Zoom out (-)", () => actions.zoom(2)), this.span, button("+", "Zoom in (+)", () => actions.zoom(0.5))),
      this.filter,
      this.order,
      this.status,
    );
  }

  /** @param status what the Source says, in a word and a sentence */
  show({ following, span, status, sentence }) {
    write(this.follow, following ? "Pause" : "Follow now");
    this.follow.setAttribute("aria-pressed", String(!following));
    write(this.span, durationText(span));
    this.status.dataset.status = status;
    write(this.status, sentence);
  }
}

function button(text, label, action) {
  const made = element("button", { type: "button", title: label, "aria-label": text.length > 1 ? null : label }, text);
  made.addEventListener("click", action);
  return made;
}
