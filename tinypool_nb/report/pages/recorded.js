// The timeline of a recording: the live view's own scripts stand before this one, and are told what a kernel would tell them.

const MANY = 24; // lanes, of which not all can be in sight: then the worst come first

/** A widget's model as anywidget would hand it over, without a kernel behind it. */
class RecordedModel {
  constructor(traits) {
    this.traits = traits;
  }

  get(name) {
    return this.traits[name];
  }

  on() {}
  off() {}
  send() {}
}

/** Shows the record up to any moment, and plays it. */
class Replay {
  constructor(place) {
    const { head, records, start, end, look } = JSON.parse(place.querySelector("script").textContent);
    const bytes = Uint8Array.from(atob(records), (character) => character.charCodeAt(0));
    this.buffer = bytes.buffer;
    this.head = head;
    [this.start, this.end] = [start, end];
    this.count = bytes.length / RECORD;
    this.span = Math.max(end - start, SHORTEST);
    const traits = { _kept: Math.max(this.count, 1), _look: look, window: (1.01 * this.span) / 1e9, _start: { head, records: this.view(0, this.count) } };
    this.source = new Source(new RecordedModel(traits));
    this.timeline = new TimelineView(place, this.source, look, traits.window);
    this.at = end;
    this.playing = 0;
    if (this.timeline.lanes.length > MANY) {
      this.timeline.toolbar.order.value = "worst";
      this.timeline.arrange({ order: "worst" });
    }
    place.append(this.controls());
    addEventListener("beforeprint", () => this.stop());
  }

  view(first, end) {
    return new DataView(this.buffer, first * RECORD, (end - first) * RECORD);
  }

  /** How many records are not later than `time`. */
  upTo(time) {
    const records = this.view(0, this.count);
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (records.getFloat64(middle * RECORD, true) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  controls() {
    this.button = element("button", { type: "button", class: "replay-play" }, "Replay");
    this.button.addEventListener("click", () => (this.playing ? this.stop() : this.play()));
    this.slider = element("input", { type: "range", min: "0", max: "1000", step: "any", value: "1000", "aria-label": "moment of the recording" });
    this.slider.addEventListener("input", () => {
      this.stop();
      this.show(this.start + (Number(this.slider.value) / 1000) * this.span);
    });
    const speeds = [[10, "in 10 s"], [30, "in 30 s"], [120, "in 2 min"], [0, "as fast as it was"]];
    this.speed = element("select", { "aria-label": "how fast to replay" }, ...speeds.map(([seconds, label]) => element("option", { value: String(seconds) }, label)));
    this.moment = element("output", { class: "replay-moment" });
    const all = element("button", { type: "button" }, "Show all of it");
    all.addEventListener("click", () => {
      this.stop();
      this.show(this.end);
      this.whole();
    });
    this.tell();
    return element("div", { class: "replay", role: "group", "aria-label": "replay" }, this.button, this.speed, this.slider, this.moment, all);
  }

  play() {
    if (this.at >= this.end) this.show(this.start);
    if (this.timeline.viewport.following) this.whole();
    this.button.textContent = "Pause";
    let last = performance.now();
    const step = (now) => {
      const seconds = Number(this.speed.value);
      this.forward(this.at + (now - last) * (seconds ? this.span / (seconds * 1000) : 1e6));
      last = now;
      if (this.at < this.end) this.playing = requestAnimationFrame(step);
      else this.stop();
    };
    this.playing = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.button.textContent = this.at < this.end && this.at > this.start ? "Go on" : "Replay";
  }

  /** All of it in sight, however much of it is known yet. */
  whole() {
    const { viewport } = this.timeline;
    viewport.span = 1.01 * this.span;
    viewport.end = this.end + 0.005 * this.span;
    this.timeline.changed();
  }

  /** Only what comes between now and `time` is told. */
  forward(time) {
    const [before, at] = [this.shown ?? this.count, Math.min(time, this.end)];
    this.shown = this.upTo(at);
    const marks = this.head.marks.filter(([moment]) => moment > this.at && moment <= at);
    this.at = at;
    this.source.take({ version: this.head.version, type: "delta", now: at, marks }, this.view(before, this.shown));
    this.tell();
  }

  /** From the start up to `time`, whatever was shown before. */
  show(time) {
    if (this.timeline.viewport.following) this.whole();
    this.at = time;
    this.shown = this.upTo(time);
    const marks = this.head.marks.filter(([moment]) => moment <= time);
    this.source.take({ ...this.head, now: time, marks }, this.view(0, this.shown));
    this.tell();
  }

  tell() {
    this.slider.value = String(((this.at - this.start) / this.span) * 1000);
    write(this.moment, `${timeText(this.at, this.head.epoch)} UTC`);
  }
}

for (const place of document.querySelectorAll(".recorded-timeline")) {
  place.replay = new Replay(place);
  document.documentElement.classList.add("has-canvas");
}
