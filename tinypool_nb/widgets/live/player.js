// What plays a recording: the timeline's own view, with a slider for the position, a speed, and buttons that go to marks.

import { element, write } from "./elements.js";
import { TimelineView } from "./view.js";
import { durationText, timeText } from "./words.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600, 86400];
const NOTCHES = 1000; // of the slider
const LOOK_EVERY = 100; // milliseconds between two moves of the slider
const BACK = 0.5e9; // nanoseconds behind a mark within which "previous" means the one before

export class ReplayView extends TimelineView {
  constructor(...given) {
    super(...given);
    const { model } = this.source;
    model.on("change:speed", this.paced);
    model.on("change:position", this.sought);
    model.on("change:playing", this.asked);
    this.looking = setInterval(() => this.follows(), LOOK_EVERY);
    this.paced();
    this.follows();
  }

  build(parent, look) {
    super.build(parent, look);
    this.slider = element("input", { type: "range", min: "0", max: String(NOTCHES), value: "0", "aria-label": "position in the recording", class: "tinypool-live-position" });
    this.slider.addEventListener("input", () => this.go(this.source.begin + (Number(this.slider.value) / NOTCHES) * (this.source.end - this.source.begin)));
    this.slider.addEventListener("keydown", (event) => event.ctrlKey || event.metaKey || event.stopPropagation()); // not for JupyterLab
    this.speed = element("select", { "aria-label": "speed" });
    this.speed.addEventListener("change", () => this.source.model.set("speed", Number(this.speed.value)));
    this.time = element("output", { class: "tinypool-live-time", "aria-label": "time in the recording" });
    const bar = element(
      "div",
      { class: "tinypool-live-bar tinypool-live-player" },
      this.step("‹ mark", "To the mark before", -1),
      this.slider,
      this.step("mark ›", "To the next mark", 1),
      this.speed,
      this.time,
    );
    this.toolbar.root.after(bar);
  }

  close() {
    clearInterval(this.looking);
    this.source.model.off("change:speed", this.paced);
    this.source.model.off("change:position", this.sought);
    this.source.model.off("change:playing", this.asked);
    super.close();
  }

  step(text, label, direction) {
    const button = element("button", { type: "button", title: label, "aria-label": label }, text);
    button.addEventListener("click", () => this.jump(direction));
    return button;
  }

  /** Play or rest: what Space and the first button do. */
  toggle() {
    this.viewport.follow();
    if (this.source.moves) this.source.pause();
    else this.source.play();
    this.keep();
    this.changed();
  }

  /** Go to a moment, nanoseconds since the epoch. */
  go(time) {
    this.viewport.follow();
    this.source.seek(time);
    this.keep();
    this.changed();
  }

  /** Go to the next mark, or to the one before. */
  jump(direction) {
    const { moments, begin, end } = this.source;
    const now = this.source.now();
    const reach = this.source.moves ? BACK * this.source.pace : 1;
    const found = direction > 0 ? (moments.find((time) => time > now) ?? end) : (moments.findLast((time) => time < now - reach) ?? begin);
    this.go(found);
    this.sayNow(`at ${timeText(found, this.store.epoch)}`, `jump ${found}`);
  }

  /** Tell the kernel where it is: once for what a person did, not while it plays. */
  keep() {
    const { model } = this.source;
    this.told = (this.source.now() - this.source.begin) / 1e9;
    model.set({ position: this.told, playing: this.source.moves });
    model.save_changes();
  }

  sought = () => {
    const position = this.source.model.get("position");
    if (position === this.told) return;
    this.told = position;
    this.viewport.follow();
    this.source.seek(this.source.begin + position * 1e9);
    this.changed();
  };

  asked = () => {
    if (this.source.model.get("playing") !== this.source.moves) this.toggle();
  };

  paced = () => {
    const { pace } = this.source;
    const known = [...new Set([...SPEEDS, pace])].sort((one, other) => one - other);
    this.speed.replaceChildren(...known.map((each) => element("option", { value: String(each) }, `${each.toLocaleString("en")}×`)));
    this.speed.value = String(pace);
    this.source.paceChanged();
    this.source.model.save_changes();
  };

  /** Let the slider, the time and the button be where the recording is. */
  follows() {
    const now = this.source.now();
    const { begin, end } = this.source;
    const played = this.moved;
    this.moved = this.source.moves;
    if (played !== undefined && played !== this.moved) this.changed();
    if (played && !this.moved && this.source.model.get("playing")) this.keep(); // it came to its end
    const value = String(Math.round(((now - begin) / Math.max(1, end - begin)) * NOTCHES));
    if (this.slider.value !== value && !this.slider.matches(":active")) this.slider.value = value;
    const told = `${timeText(now, this.store.epoch).slice(0, 21)} UTC · ${durationText(now - begin)} of ${durationText(end - begin)}`;
    write(this.time, told);
    if (this.slider.getAttribute("aria-valuetext") !== told) this.slider.setAttribute("aria-valuetext", told);
  }

  note(now) {
    super.note(now);
    write(this.toolbar.follow, this.source.moves ? "Pause" : "Play");
    this.toolbar.follow.title = "Play, or pause (Space)";
    this.toolbar.follow.setAttribute("aria-pressed", String(this.source.moves));
  }
}
