// One place where the timeline is displayed: ties what is known to what is seen, and draws only when something moved.

import { details } from "./details.js";
import { element, mark, write } from "./elements.js";
import { HELP, listen } from "./input.js";
import { Merger } from "./lanes.js";
import { Legend } from "./legend.js";
import { Names } from "./names.js";
import { arranged } from "./order.js";
import { Painter } from "./painting.js";
import { pick, segmentAt } from "./picking.js";
import { AXIS, Box, LABEL_ROW, rowHeight } from "./scene.js";
import { Theme } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { Tooltip } from "./tooltip.js";
import { Viewport } from "./viewport.js";
import { counted, durationText, summaryText } from "./words.js";

const TALLEST = 460; // pixels of the canvas; the corner makes it taller
const TOP = 6; // above the lanes, pixels
const TOP_WITH_LABELS = 2 * LABEL_ROW + 2; // the same where marks have labels
const SAY_EVERY = 3000; // milliseconds between two announcements at the least
const ARRANGE_EVERY = 1000; // the same for lanes that move because of their states

export class TimelineView {
  /**
   * @param parent where it is put
   * @param source a Source
   * @param look colours, patterns and states, from Python
   * @param seconds in sight at first
   */
  constructor(parent, source, look, seconds) {
    this.source = source;
    this.store = source.store;
    this.viewport = new Viewport(seconds * 1e9);
    this.choices = { text: "", states: new Set(), order: "registered", severity: look.severity };
    this.lanes = [];
    this.chosen = -1;
    this.pointer = null;
    this.isVisible = true;
    this.build(parent, look);
    this.stillness = matchMedia("(prefers-reduced-motion: reduce)");
    this.sizes = new ResizeObserver(() => this.changed());
    this.sizes.observe(this.scroller);
    this.sight = new IntersectionObserver((entries) => {
      this.isVisible = entries.at(-1).isIntersecting;
      if (this.isVisible) this.changed();
    });
    this.sight.observe(this.root);
    source.watchers.add(this.heard);
    this.heard();
  }

  build(parent, look) {
    this.root = element("div", { class: "tinypool-live" });
    this.theme = new Theme(look, this.root, () => this.recolour());
    this.toolbar = new Toolbar({
      toggle: () => this.toggle(),
      zoom: (factor) => this.zoom(factor, 0.5),
      filter: (text) => this.arrange({ text }),
      order: (order) => this.arrange({ order }),
    });
    this.legend = new Legend(this.theme, look.order, (states) => this.arrange({ states }));
    this.names = new Names(this.theme, (row) => this.choose(row - this.chosen));
    this.canvas = element("canvas", { class: "tinypool-live-canvas", tabindex: "0", role: "application", "aria-roledescription": "timeline", "aria-label": "connections over time", "aria-description": HELP });
    this.stage = element("div", { class: "tinypool-live-stage" }, this.names.root, this.canvas, element("span", { class: "tinypool-live-utc" }, "UTC"));
    this.tall = element("div", { class: "tinypool-live-tall" }, this.stage);
    this.scroller = element("div", { class: "tinypool-live-scroller" }, this.tall);
    this.scroller.addEventListener("scroll", () => this.changed());
    this.tip = new Tooltip(this.theme);
    this.foot = element("div", { class: "tinypool-live-foot" });
    this.said = element("div", { class: "tinypool-live-said", role: "status", "aria-live": "polite" });
    this.root.append(this.toolbar.root, this.legend.root, element("div", { class: "tinypool-live-body" }, this.scroller, this.tip.root), this.foot, this.said);
    this.merger = new Merger(look.severity);
    this.painter = new Painter(this.canvas, this.merger, this.theme);
    this.labels = look.order.map((code) => [code, look.states[code].label]);
    listen(this.canvas, this);
    parent.append(this.root);
  }

  close() {
    this.source.watchers.delete(this.heard);
    this.sizes.disconnect();
    this.sight.disconnect();
    this.theme.close();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    clearTimeout(this.arranging);
    clearTimeout(this.saying);
    this.root.remove();
  }

  // What happens

  heard = () => {
    const { lanes } = this.store;
    this.counts = new Map();
    this.seen = this.seen ?? new Set();
    for (const { newest } of lanes) {
      this.counts.set(newest, (this.counts.get(newest) ?? 0) + 1);
      if (newest !== null) this.seen.add(newest);
    }
    this.legend.show(this.counts, this.seen);
    this.rearrange(lanes.length !== this.known || lanes !== this.knownLanes);
    this.say();
    this.changed();
  };

  recolour() {
    this.legend?.paint();
    if (this.tip) this.changed();
  }

  // What a person does

  toggle() {
    if (this.viewport.following) this.viewport.pause(this.source.now());
    else this.viewport.follow();
    this.changed();
  }

  follow() {
    this.viewport.follow();
    this.changed();
  }

  pan(share) {
    this.viewport.pan(share, this.source.now());
    this.changed();
  }

  zoom(factor, anchor) {
    this.viewport.zoom(factor, anchor, this.source.now());
    this.changed();
  }

  scrollBy(pixels) {
    this.scroller.scrollTop += pixels;
  }

  /** Choose the lane that is `step` below the chosen one; null for none. */
  choose(step) {
    this.chosen = step === null ? -1 : Math.min(Math.max(this.chosen + step, 0), this.lanes.length - 1);
    if (this.chosen >= 0) {
      const y = this.chosen * this.box.row;
      const room = this.box.bottom - this.box.top - this.box.row;
      this.scroller.scrollTop = Math.min(Math.max(this.scroller.scrollTop, y - room), y);
      // For other parts of the panel, which explain the module.
      this.root.dispatchEvent(new CustomEvent("tinypool-chosen", { bubbles: true, detail: { module: this.lanes[this.chosen].name } }));
    }
    this.changed();
  }

  point(x, y) {
    this.pointer = x === null ? null : { x, y };
    this.changed();
  }

  arrange(choices) {
    Object.assign(this.choices, choices);
    this.rearrange(true);
    this.changed();
  }

  // What follows from it

  /** Put the lanes in order: at once if the list or the wish changed, else soon, for lanes that jump cannot be read. */
  rearrange(atOnce) {
    const dependsOnStates = this.choices.states.size || ["state", "worst"].includes(this.choices.order);
    if (!atOnce && !dependsOnStates) return;
    if (!atOnce) {
      this.arranging ??= setTimeout(() => this.arrange({}), ARRANGE_EVERY);
      return;
    }
    clearTimeout(this.arranging);
    this.arranging = undefined;
    const chosen = this.lanes[this.chosen];
    this.known = this.store.lanes.length;
    this.knownLanes = this.store.lanes;
    this.lanes = arranged(this.store.lanes, this.choices);
    this.chosen = chosen ? this.lanes.findIndex((lane) => lane.name === chosen.name) : -1;
    const transports = new Map(this.store.lanes.map((lane) => [lane, lane.count ? this.store.channels[lane.channels[lane.count - 1]].transport : ""]));
    const kinds = new Set([...transports.values()].filter(Boolean).map((transport) => transport.startsWith("plaintext"))); // of one that has no row yet nobody knows
    this.tagged = new Set(kinds.size > 1 ? this.store.lanes.filter((lane) => transports.get(lane).startsWith("plaintext")) : []);
  }

  changed() {
    this.isDirty = true;
    this.schedule();
  }

  schedule() {
    if (this.isVisible) this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    clearTimeout(this.timer);
    if (!this.scroller.clientHeight) {
      // JupyterLab hides the page while it changes its theme, too briefly for an observer to notice.
      this.timer = setTimeout(() => this.changed(), 50);
      return;
    }
    const now = this.source.now();
    const isDirty = this.isDirty || this.measure();
    if (isDirty) this.measure();
    const { box } = this;
    const viewport = this.viewport.at(now, Math.max(1, Math.floor(box.width)));
    if (isDirty || viewport.start !== this.drawnStart) {
      this.isDirty = false;
      this.drawnStart = viewport.start;
      const pointer = this.pointer && { ...this.pointer, row: box.rowAt(this.pointer.y) };
      const scene = { lanes: this.lanes, marks: this.store.marks, viewport, box, now, epoch: this.store.epoch, pointer, chosen: this.chosen };
      this.painter.paint(scene);
      if (isDirty) this.names.show(scene, this.tagged);
      this.tell(scene);
      this.note(now);
      this.report();
    }
    if (this.viewport.following && this.source.moves) {
      const wait = Math.max(viewport.column / 1e6 / this.source.pace, this.stillness.matches ? 1000 : 0); // milliseconds until it has moved by a pixel
      if (wait < 20) this.schedule();
      else this.timer = setTimeout(() => this.schedule(), Math.min(wait, 1000));
    }
  }

  /** Take the size of things; whether it changed. */
  measure() {
    const row = rowHeight(this.store.lanes.length);
    const top = this.store.marks.some((each) => each.lane === -1) ? TOP_WITH_LABELS : TOP;
    const wanted = top + AXIS + Math.max(this.lanes.length, 1) * row;
    const height = `${Math.min(wanted, TALLEST)}px`;
    if (this.asked !== height) this.scroller.style.height = this.asked = height;
    const [width, tall] = [this.canvas.clientWidth, this.scroller.clientHeight];
    this.tall.style.height = `${Math.max(wanted, tall)}px`;
    this.stage.style.height = `${tall}px`;
    this.names.root.style.clipPath = `inset(${top}px 0 ${AXIS}px 0)`;
    const scroll = Math.min(this.scroller.scrollTop, Math.max(0, wanted - tall));
    const before = this.box;
    this.box = new Box({ width, height: tall, top, row, count: this.lanes.length, scroll });
    return !before || before.width !== width || before.height !== tall || before.scroll !== scroll;
  }

  /** The box beside the pointer, or at the end of the chosen lane. */
  tell(scene) {
    const { box, viewport, now } = scene;
    const left = this.canvas.offsetLeft;
    if (this.pointer) {
      const found = pick(this.pointer.x, this.pointer.y, scene, this.merger);
      this.tip.show(found.row < 0 && !found.mark ? [] : details(found, this.store, this.theme.look.states), left + this.pointer.x, this.pointer.y);
    } else if (this.chosen >= 0) {
      const lane = this.lanes[this.chosen];
      const time = Math.min(now - 1, viewport.end - 1);
      const lines = details({ lane, segment: segmentAt(lane, time, viewport, now, this.merger), mark: null }, this.store, this.theme.look.states);
      this.tip.show(lines, left + box.width, box.y(this.chosen) + box.row);
      this.sayNow(lines.map(({ text }) => text).join(", "), `${this.chosen} ${lane.name} ${lane.count}`);
    } else {
      this.tip.hide();
    }
  }

  /** The words around the picture. */
  note(now) {
    const { status } = this.source;
    const { following, span } = this.viewport;
    const behind = durationText(Math.max(0, Math.round((now - this.viewport.endAt(now)) / 1e9) * 1e9));
    const sentence = {
      waiting: "waiting for the kernel",
      live: following ? "live" : `paused, ${behind} behind`,
      closed: "the pool is closed: this is its last state",
      lost: "the kernel is gone: this is what was seen last",
      replay: `${this.source.moves ? "playing" : "resting"} at ${this.source.pace.toLocaleString("en")}×${following ? "" : `, in sight: ${behind} before`}`,
      refused: this.source.refusal,
    }[status];
    this.toolbar.show({ following, span, status, sentence });
    mark(this.root, "status", status);
    mark(this.root, "following", String(following));
    mark(this.root, "modules", String(this.store.lanes.length));
    mark(this.root, "changes", String(this.store.count));
    const shown = this.lanes.length < this.store.lanes.length ? `${this.lanes.length.toLocaleString("en")} of ${counted(this.store.lanes.length, "module")} shown · ` : "";
    const older = this.store.older ? `, ${this.store.older.toLocaleString("en")} older ones went` : "";
    write(this.foot, `${shown}the last ${this.store.most.toLocaleString("en")} changes are kept${older} · where pixels are short, the worst state wins`);
  }

  /** For who measures: how many changes are on the canvas now. */
  report() {
    if (this.store.count === this.reported) return;
    this.reported = this.store.count;
    this.root.dispatchEvent(new CustomEvent("tinypool-drawn", { bubbles: true, detail: { changes: this.store.older + this.store.count } }));
  }

  /** Announce how the modules are, but not more often than can be listened to. */
  say() {
    this.saying ??= setTimeout(() => {
      this.saying = undefined;
      write(this.said, summaryText(this.labels.map(([code, label]) => [label, this.store.lanes.filter((lane) => lane.newest === code).map((lane) => lane.name)])));
    }, this.said.textContent ? SAY_EVERY : 0);
  }

  /** Announce what a person asked for. */
  sayNow(text, occasion) {
    if (this.occasion === occasion) return;
    this.occasion = occasion;
    write(this.said, text);
  }
}
