// A lesson: its steps with what is done, expected and seen, and the buttons next, play and reset.

const SYMBOLS = { "to come": "○", "under way": "◐", "as expected": "✔", "not as expected": "✖" };
const FACTS = [["does", "What is done"], ["expects", "Expected"], ["note", "What came of it"], ["seen", "Seen"], ["why", "Why"]];

class Lesson {
  constructor(model, ask, announce) {
    this.model = model;
    this.ask = ask;
    this.announce = announce;
    this.name = null;
    this.steps = [];
    this.until = null;
    this.select = make("select", { "aria-label": "Lesson" });
    this.select.addEventListener("change", () => ask("lesson", this.select.value));
    this.about = make("p", { class: "tinypool-about" });
    this.next = button("Next", () => ask("next"), { class: "tinypool-main", "data-act": "next" });
    this.play = button("Play", () => ask("play"), { "data-act": "play", title: "Do all steps that are left, for as long as all comes as expected" });
    this.reset = button("Reset", () => ask("reset"), { "data-act": "reset", title: "Back to the beginning; the lesson's servers end" });
    this.left = make("span", { class: "tinypool-left" });
    this.list = make("ol", { class: "tinypool-steps-list" });
    this.element = make("section", { class: "tinypool-lesson", "aria-label": "Lesson" },
      make("label", { class: "tinypool-pick" }, make("span", {}, "Lesson"), this.select),
      this.about,
      make("div", { class: "tinypool-buttons", role: "group", "aria-label": "Walk through the lesson" }, this.next, this.play, this.reset, this.left),
      this.list);
    this.countdown = new Countdown((now) => this.count(now));
  }

  show() {
    const script = this.model.get("script");
    const progress = this.model.get("progress");
    if (script.name !== this.name || script.steps.length !== this.steps.length) this.build(script);
    const fresh = this.spoken === undefined;
    progress.steps.forEach((result, place) => this.step(place, result, progress));
    const busy = progress.current !== null;
    const coming = progress.upcoming === null ? null : script.steps[progress.upcoming].title;
    say(this.next, coming !== null ? `Next: ${coming}` : busy ? "Under way" : "The end");
    enable(this.next, coming !== null);
    enable(this.play, coming !== null || (busy && !progress.playing));
    enable(this.reset, busy || progress.steps[0].state !== "to come");
    set(this.element, "data-state", busy ? "under way" : coming === null ? "over" : "waiting");
    this.until = busy && progress.left !== null ? Countdown.after(progress.left) : null;
    if (busy) this.countdown.start();
    else {
      this.countdown.stop();
      say(this.left, "");
    }
    this.tell(script, progress, fresh);
  }

  build(script) {
    this.name = script.name;
    this.spoken = undefined;
    this.select.replaceChildren(...script.lessons.map(([name, title]) => make("option", { value: name, selected: name === script.name }, title)));
    say(this.about, script.about);
    this.steps = script.steps.map((step, place) => {
      const symbol = make("span", { class: "tinypool-symbol", "aria-hidden": "true" });
      const standing = make("span", { class: "tinypool-standing" });
      const values = Object.fromEntries(FACTS.map(([key]) => [key, make("dd", {}, step[key] ?? "")]));
      const rows = FACTS.map(([key, label]) => make("div", { "data-fact": key }, make("dt", {}, label), values[key]));
      const details = make("details", {},
        make("summary", {}, symbol, make("span", { class: "tinypool-number" }, `${place + 1}.`), make("span", { class: "tinypool-title" }, step.title), standing),
        make("dl", {}, ...rows));
      return { item: make("li", {}, details), details, symbol, standing, values, state: null };
    });
    this.list.replaceChildren(...this.steps.map((step) => step.item));
  }

  step(place, result, progress) {
    const step = this.steps[place];
    say(step.symbol, SYMBOLS[result.state]);
    say(step.standing, result.began ? `${result.state}, ${result.began}` : result.state);
    set(step.item, "data-state", result.state);
    set(step.item, "aria-current", place === progress.current || place === progress.upcoming ? "step" : null);
    for (const key of ["note", "seen"]) {
      say(step.values[key], result[key]);
      set(step.values[key].parentElement, "hidden", result[key] ? null : "");
    }
    // What is under way, what was done last and what comes next stand open; a person may open and fold the others.
    const aim = (step) => step === (progress.current ?? progress.upcoming);
    const active = progress.current ?? progress.upcoming ?? progress.steps.length - 1;
    const near = place === active || place === active - 1;
    const key = `${near} ${result.state}`;
    if (step.state !== key) {
      step.details.open = near || result.state === "not as expected";
      step.state = key;
      if (aim(place) && this.list.contains(document.activeElement) === false) this.follow(step.item);
    }
  }

  // Keeps the step under way in sight within the list, without scrolling the page.
  follow(item) {
    requestAnimationFrame(() => {
      const bottom = item.offsetTop + item.offsetHeight; // from the top of the list
      if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
      else if (item.offsetTop < this.list.scrollTop) this.list.scrollTop = item.offsetTop;
    });
  }

  count(now) {
    if (this.until === null) say(this.left, "being done …");
    else say(this.left, this.until > now ? `known in ${seconds(this.until - now)} at the latest` : "about to be known …");
  }

  tell(script, progress, fresh) {
    const done = progress.steps.findLastIndex((step) => step.state === "as expected" || step.state === "not as expected");
    const key = done < 0 ? "" : `${done} ${progress.steps[done].state}`;
    if (key !== this.spoken && key && !fresh) {
      const { state, seen, note } = progress.steps[done];
      this.announce(`Step ${done + 1}, ${script.steps[done].title}: ${state}. ${seen || note}`);
    }
    this.spoken = key;
  }

  stop() {
    this.countdown.stop();
  }
}
