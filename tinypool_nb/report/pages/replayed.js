// The timelines of a report: the player of recordings, whose scripts stand before this one, is told what a kernel would tell it.

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

/** Put a player into its place, and the picture there away. */
function play(place, look) {
  const { head, records } = JSON.parse(place.querySelector(":scope > script").textContent);
  const bytes = Uint8Array.from(atob(records), (character) => character.charCodeAt(0));
  const model = new RecordedModel({
    _kept: Math.max(bytes.length / RECORD, 1),
    _look: look,
    _start: { head, records: new DataView(bytes.buffer) },
    playing: false,
    position: Infinity, // its end
    speed: 1,
  });
  const source = new ReplaySource(model);
  if (source.status !== "replay") return; // of another version: the picture stays
  const span = (source.end - source.begin) / 1e9;
  model.set({ speed: Math.max(1, Number((span / WHOLE).toPrecision(1))), position: span });
  const view = new ReplayView(place, source, look, Math.max(span * 1.02, 0.01));
  if (view.lanes.length > MANY) {
    view.toolbar.order.value = "worst";
    view.arrange({ order: "worst" });
  }
  place.classList.toggle("is-whole", !head.older);
  place.parentElement.classList.add("is-played");
}

const look = JSON.parse([...document.querySelectorAll("script.tinypool-look")].at(-1).textContent); // whatever a notebook calls its own elements
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      const place = target.querySelector(":scope > .tinypool-player");
      try {
        play(place, look);
      } catch (error) {
        place.replaceChildren(); // what a notebook holds may be anything: its picture stays
        console.warn("a timeline cannot be played:", error);
      }
    }
  },
  { rootMargin: "100%" }, // before it is seen
);
for (const recorded of document.querySelectorAll(".tinypool-recorded")) {
  if (recorded.querySelector(":scope > .tinypool-player > script")) sight.observe(recorded);
}
