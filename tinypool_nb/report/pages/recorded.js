// The timeline of a recording: the player of recordings, whose scripts stand before this one, is told what a kernel would tell it.

const MANY = 24; // lanes, of which not all can be in sight: then the worst come first
const WHOLE = 20; // seconds in which all of it is played at first

/** A widget's model as anywidget would hand it over, without a kernel behind it. */
class RecordedModel {
  constructor(traits) {
    this.traits = traits;
    this.listeners = new Map();
  }

  get(name) {
    return this.traits[name];
  }

  /** One trait, or several in an object. */
  set(name, value) {
    const changes = typeof name === "string" ? { [name]: value } : name;
    for (const [each, now] of Object.entries(changes)) {
      if (this.traits[each] === now) continue;
      this.traits[each] = now;
      for (const listener of this.listeners.get(`change:${each}`) ?? []) listener();
    }
  }

  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(listener);
  }

  off(event, listener) {
    this.listeners.get(event)?.delete(listener);
  }

  send() {}
  save_changes() {}
}

for (const place of document.querySelectorAll(".recorded-timeline")) {
  const { head, records, span, look } = JSON.parse(place.querySelector("script").textContent);
  const bytes = Uint8Array.from(atob(records), (character) => character.charCodeAt(0));
  const model = new RecordedModel({
    _kept: Math.max(bytes.length / RECORD, 1),
    _look: look,
    _start: { head, records: new DataView(bytes.buffer) },
    playing: false,
    position: span,
    speed: Math.max(1, Number((span / WHOLE).toPrecision(1))),
    window: Math.max(span * 1.02, 0.01),
  });
  const view = new ReplayView(place, new ReplaySource(model), look, model.get("window"));
  if (view.lanes.length > MANY) {
    view.toolbar.order.value = "worst";
    view.arrange({ order: "worst" });
  }
  document.documentElement.classList.add("has-canvas");
}
