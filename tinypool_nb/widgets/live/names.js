// The names of the modules beside their lanes, each with a chip of its state; only those in sight stand in the page.

import { element, mark, write } from "./elements.js";

export class Names {
  /** @param pick is called with the row that was clicked */
  constructor(theme, pick) {
    this.theme = theme;
    this.rows = [];
    this.root = element("ul", { class: "tinypool-live-names", "aria-label": "modules" });
    this.root.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) pick(Number(row.dataset.row));
    });
  }

  /** @param scene as for the Painter; `tagged` holds the lanes that say that they are plaintext, since others are not */
  show({ lanes, box, chosen }, tagged) {
    const count = box.endRow - box.firstRow;
    while (this.rows.length < count) this.rows.push(this.row());
    for (let place = 0; place < this.rows.length; place += 1) {
      const { item, chip, name, tag } = this.rows[place];
      const row = box.firstRow + place;
      item.hidden = place >= count;
      if (item.hidden) continue;
      const lane = lanes[row];
      const look = lane.newest === null ? null : this.theme.palette.looks[lane.newest];
      item.style.transform = `translateY(${box.y(row)}px)`;
      item.style.height = `${box.row}px`;
      mark(item, "row", String(row));
      mark(item, "module", lane.name);
      mark(item, "state", look?.label ?? "");
      mark(item, "chosen", String(row === chosen));
      item.title = `${lane.name}: ${look?.label ?? "nothing recorded yet"}`;
      chip.style.background = look?.colour ?? "transparent";
      chip.style.color = look?.ink ?? "inherit";
      write(chip, look?.symbol ?? "");
      write(name, lane.name);
      write(tag, tagged.has(lane) ? "plaintext" : "");
      chip.setAttribute("aria-label", look?.label ?? "nothing recorded yet");
    }
  }

  row() {
    const chip = element("span", { class: "tinypool-live-chip", role: "img" });
    const name = element("bdi", { class: "tinypool-live-name" });
    const tag = element("small", { class: "tinypool-live-tag" });
    const item = element("li", {}, chip, name, tag);
    this.root.append(item);
    return { item, chip, name, tag };
  }
}
