// One for each widget of the kernel, shared by its views: hears the messages, keeps what they say.

import { RecordClock } from "./clock.js";
import { Store } from "./store.js";

export class Source {
  /** @param model the widget's model in the browser, as anywidget hands it over */
  constructor(model) {
    this.model = model;
    this.store = new Store(model.get("_kept"));
    this.clock = new RecordClock();
    this.status = "waiting"; // then "live", "closed" (the record is), "lost" (the kernel is), or "refused"
    this.answered = false; // whether a hello of this page was
    this.watchers = new Set();
    this.started();
    model.on("msg:custom", this.heard);
    model.on("change:_start", this.startChanged);
    model.on("comm_live_update", this.lost);
    model.send({ type: "hello" });
  }

  /** Whether its time goes by. */
  get moves() {
    return this.status === "live";
  }

  /** How quickly it does. */
  get pace() {
    return 1;
  }

  close() {
    this.model.off("msg:custom", this.heard);
    this.model.off("change:_start", this.startChanged);
    this.model.off("comm_live_update", this.lost);
    this.watchers.clear();
  }

  /** The record's time; while nothing was heard of the kernel, that of the saved picture. */
  now() {
    const growing = this.status === "live" ? this.clock.now(performance.now()) : null;
    return Math.max(growing ?? this.stopped ?? 0, this.store.newest);
  }

  /** What was saved with the notebook, or written before anybody could hear messages. */
  started() {
    const { head, records } = this.model.get("_start") ?? {};
    if (head) this.take(head, records);
  }

  startChanged = () => {
    if (this.answered) return; // messages bring it all, and sooner
    this.status = "live"; // the kernel wrote it just now
    this.started();
  };

  heard = (head, buffers) => {
    if (head.type === "snapshot") this.answered = true;
    if (!this.answered && head.type === "delta") return; // it goes on from a snapshot that was sent before this page was there
    if (this.status !== "closed") this.status = "live";
    this.take(head, buffers?.[0] ?? new DataView(new ArrayBuffer(0)));
  };

  take(head, records) {
    const refusal = Store.refusal(head);
    if (refusal) {
      this.status = "refused";
      this.refusal = refusal;
    } else {
      this.store.take(head, records);
      this.stopped = head.now;
      if (this.status === "live") this.clock.heard(head.now, performance.now());
      if (head.type === "end" || head.closed) this.status = "closed";
    }
    this.tell();
  }

  /** The connection to the kernel ended: it was restarted, or shut down. */
  lost = () => {
    if (this.status !== "live") return;
    this.stopped = this.now();
    this.status = "lost";
    this.tell();
  };

  tell() {
    for (const watcher of this.watchers) watcher();
  }
}
