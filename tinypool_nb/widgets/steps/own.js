// A module of one's own: Follow shows gRPC's own ladder of attempts with a countdown, Hold makes one attempt when it is asked for.

const A62 = "Python's gRPC stays in TRANSIENT_FAILURE from the first failed attempt until one succeeds (gRFC A62). Go's would show CONNECTING during each attempt and IDLE after it.";
const HELD = "Nothing is attempted until you press the button: then exactly one attempt at each resolved address, until one is ready. Calls fail at once while it is not READY. Follow gives the module its normal channel back.";

class Own {
  constructor(model, ask, announce) {
    this.model = model;
    this.ask = ask;
    this.announce = announce;
    this.looked = 0;
    this.select = make("select", { "aria-label": "Module" });
    this.wanted = null; // the mode that was chosen and of which the kernel has not heard yet: until then the choice stays as it was made
    this.select.addEventListener("change", () => {
      this.wanted = null;
      ask("module", this.select.value);
    });
    const name = `tinypool-mode-${Math.random().toString(36).slice(2)}`;
    this.modes = Object.fromEntries([["follow", "Follow"], ["hold", "Hold"]].map(([mode]) => [mode, make("input", { type: "radio", name, value: mode })]));
    for (const [mode, radio] of Object.entries(this.modes)) {
      radio.addEventListener("change", () => {
        if (!radio.checked) return;
        this.wanted = mode;
        ask(mode, this.select.value);
      });
    }
    this.none = make("p", {}, "No module is registered yet.");
    this.state = make("span", { class: "tinypool-chip-state" });
    this.words = make("span");
    this.line = make("p", { class: "tinypool-doing" }, this.state, this.words);
    this.bar = make("div", { class: "tinypool-bar", "aria-hidden": "true" }, make("i"));
    this.next = make("p", { class: "tinypool-next" });
    this.reason = make("p", { class: "tinypool-reason" });
    this.attempt = button("Attempt", () => ask("attempt"), { class: "tinypool-main", "data-act": "attempt" });
    this.report = make("div", { class: "tinypool-report" });
    this.held = make("div", { class: "tinypool-held" }, make("p", { class: "tinypool-about" }, HELD), make("div", { class: "tinypool-buttons" }, this.attempt), this.report);
    this.backoff = make("p", { class: "tinypool-about" });
    this.rows = make("tbody");
    const head = ["attempt", "started (UTC)", "after the one before", "window", "outcome", "reason"].map((text) => make("th", { scope: "col" }, text));
    this.table = make("table", { class: "tinypool-attempts" }, make("caption", {}, "Attempts of this channel"), make("thead", {}, make("tr", {}, ...head)), this.rows);
    this.followed = make("div", { class: "tinypool-followed" }, this.backoff, this.table, make("p", { class: "tinypool-about" }, A62));
    this.some = make("div", { class: "tinypool-some" },
      make("div", { class: "tinypool-choice" },
        make("label", { class: "tinypool-pick" }, make("span", {}, "Module"), this.select),
        make("fieldset", { class: "tinypool-switch" }, make("legend", { class: "tinypool-unseen" }, "What to do with it"),
          make("label", {}, this.modes.follow, "Follow"), make("label", {}, this.modes.hold, "Hold"))),
      this.line, this.bar, this.next, this.reason, this.held, this.followed);
    this.element = make("section", { class: "tinypool-own", "aria-label": "Your own module" }, this.none, this.some);
    this.countdown = new Countdown((now) => this.count(now));
  }

  show() {
    const own = this.model.get("own");
    const modules = this.model.get("modules");
    this.none.hidden = modules.length > 0;
    this.some.hidden = modules.length === 0;
    const listed = JSON.stringify(modules);
    if (listed !== this.listed) {
      this.listed = listed;
      this.select.replaceChildren(...modules.map(([module, shown]) => make("option", { value: module }, shown)));
    }
    const chosen = own.chosen !== undefined && modules.some(([module]) => module === own.chosen);
    for (const part of [this.line, this.bar, this.next, this.reason, this.held, this.followed]) part.hidden = !chosen;
    if (!chosen) {
      this.countdown.stop();
      this.select.value = null;
      return;
    }
    this.select.value = own.chosen;
    const held = own.mode === "hold";
    if (own.mode === this.wanted || this.model.get("error")) this.wanted = null;
    this.modes[this.wanted ?? (held ? "hold" : "follow")].checked = true;
    this.held.hidden = !held;
    this.followed.hidden = held;
    set(this.element, "data-state", own.state);
    set(this.element, "data-mode", own.mode);
    set(this.element, "data-doing", own.doing);
    set(this.state, "data-state", own.state);
    say(this.state, own.state);
    say(this.reason, own.reason ? `Last failure: ${own.reason}` : "");
    this.reason.hidden = !own.reason || (held && own.report?.outcome === "failed"); // the report says it, too
    enable(this.attempt, !own.attempting);
    say(this.attempt, own.attempting ? "Attempting …" : "Attempt");
    this.showReport(held ? own.report : null);
    say(this.backoff, `Backoff: ${own.backoff}.`);
    this.table.hidden = own.attempts.length === 0;
    this.rows.replaceChildren(...own.attempts.map((each) => make("tr", { "data-state": each.outcome },
      ...[each.number, each.at, each.gap, each.window, each.outcome, each.reason].map((text) => make("td", {}, String(text))))));
    this.times = { since: own.since === null ? null : Countdown.after(own.since), window: own.next === null ? null : own.next.map(Countdown.after) };
    this.looked = 0;
    this.countdown.start();
    this.tell(own);
  }

  showReport(report) {
    const key = JSON.stringify(report);
    if (key === this.reported) return;
    this.reported = key;
    if (!report) {
      this.report.replaceChildren();
      set(this.report, "data-state", null);
      return;
    }
    const phases = report.phases.map((phase) => make("li", { "data-state": phase.name },
      make("span", { class: "tinypool-at" }, `+${(phase.at / 1000).toFixed(3)} s`), make("b", {}, phase.name),
      make("span", {}, [phase.peer, phase.took ? `for ${(phase.took / 1000).toFixed(3)} s` : "", phase.reason].filter(Boolean).join(" · "))));
    const next = report.next ? `By itself gRPC would have made the next attempt ${report.next} after the start of this one.` : "";
    this.report.replaceChildren(
      make("h4", {}, `Attempt ${report.attempt}: ${report.outcome} after ${report.took}, at ${report.at}`),
      make("ol", { class: "tinypool-phases" }, ...phases), make("p", { class: "tinypool-about" }, next));
    set(this.report, "data-state", report.outcome);
  }

  count(now) {
    const own = this.model.get("own");
    const { since, window } = this.times;
    const waiting = own.doing === "waiting" && window !== null;
    const late = waiting && now > window[1];
    const ago = since === null ? "" : `, for ${seconds(now - since)}`;
    if (own.doing === "trying" || late) {
      const number = late ? own.attempt + 1 : own.attempt;
      say(this.words, `attempt ${number} is under way${late ? "" : ago}`);
      say(this.next, !late && window !== null ? `It is given up in ${seconds(window[1] - now)} at the latest.` : "");
    } else {
      say(this.words, own.doing === "waiting" ? `waiting out its backoff after attempt ${own.attempt}` : `${own.words}${own.doing === "connected" ? ago : ""}`);
      if (!waiting) say(this.next, "");
      else if (now < window[0]) say(this.next, `Attempt ${own.attempt + 1} comes in ${seconds(window[0] - now)} to ${seconds(window[1] - now)}.`);
      else say(this.next, `Attempt ${own.attempt + 1} comes at any moment, in ${seconds(window[1] - now)} at the latest.`);
    }
    this.bar.hidden = !waiting || late;
    this.next.hidden = own.doing !== "waiting" && own.doing !== "trying"; // else it keeps its line, so that nothing below jumps
    if (waiting && since !== null) this.bar.firstChild.style.width = `${Math.min(100, 100 * (now - since) / Math.max(1, window[1] - since))}%`;
    // What comes then stands in the record a moment later; asked for once at each end of the window it comes at once.
    const due = window === null ? 0 : window.filter((at) => now > at + 50).length;
    if (due > this.looked) {
      this.looked = due;
      this.ask("look");
    }
    if (own.doing !== "waiting" && own.doing !== "trying" && own.doing !== "connected") this.countdown.stop();
  }

  tell(own) {
    const key = `${own.chosen} ${own.mode} ${own.state} ${own.attempt} ${this.reported}`;
    if (this.spoken !== undefined && key !== this.spoken) {
      const report = own.mode === "hold" ? own.report : null;
      this.announce(report ? `Attempt ${report.attempt} ${report.outcome}` : `${own.chosen} is ${own.state}, ${own.words}`);
    }
    this.spoken = key;
  }

  stop() {
    this.countdown.stop();
  }
}
