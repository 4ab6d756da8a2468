// A recording as a source: the store holds what had happened up to the position, so that all that is drawn is as it was then.

import { Source } from "./source.js";
import { RECORD } from "./store.js";

/** A Source that is told all at once, and tells it as time goes by: at any speed, from any moment. */
export class ReplaySource extends Source {
  /** Nanoseconds since the epoch. */
  get begin() {
    return this.recording?.begin ?? 0;
  }

  get end() {
    return this.recording?.end ?? 0;
  }

  /** How many times as quickly as it was. */
  get pace() {
    return this.model.get("speed");
  }

  get moves() {
    return this.since !== undefined;
  }

  /** The record's time: the position, which moves while it plays. */
  now() {
    if (this.moves) {
      const position = this.from + (performance.now() - this.since) * 1e6 * this.pace;
      if (position >= this.end) this.rest();
      this.fill(Math.min(position, this.end));
    }
    return Math.round(this.position ?? 0);
  }

  /** Go to a moment, nanoseconds since the epoch; playing goes on from there. */
  seek(position) {
    this.from = Math.min(Math.max(position, this.begin), this.end);
    if (this.moves) this.since = performance.now();
    this.fill(this.from);
    this.tell();
  }

  play() {
    this.from = this.position >= this.end ? this.begin : this.position;
    this.since = performance.now();
    this.fill(this.from);
    this.tell();
  }

  pause() {
    this.now();
    this.rest();
    this.tell();
  }

  rest() {
    this.since = undefined;
  }

  /** Another speed, from here on. */
  paceChanged() {
    this.from = this.position;
    if (this.moves) this.since = performance.now();
    this.tell();
  }

  /** The times of the marks that had been made by the end, in order, each once. */
  get moments() {
    return this.recording?.moments ?? [];
  }

  take(head, records) {
    super.take(head, records);
    if (this.status === "refused") return;
    this.recording = sorted(head, records);
    this.status = "replay";
    this.taken = null; // what was saved with the notebook may begin later than the recording does
    this.seek(this.begin + this.model.get("position") * 1e9);
  }

  /** Let the store hold what had happened by then. */
  fill(position) {
    const { head, records, times, marks } = this.recording;
    if (!this.taken || position < this.position) {
      this.store.take({ ...head, marks: [] }, new DataView(new ArrayBuffer(0)));
      this.taken = { rows: 0, marks: 0 };
    }
    let { rows, marks: told } = this.taken;
    while (rows < times.length && times[rows] <= position) rows += 1;
    while (told < marks.length && marks[told][0] <= position) told += 1;
    this.position = position;
    if (rows === this.taken.rows && told === this.taken.marks) return;
    const fresh = new DataView(records.buffer, this.taken.rows * RECORD, (rows - this.taken.rows) * RECORD);
    this.store.take({ version: head.version, type: "delta", marks: marks.slice(this.taken.marks, told) }, fresh);
    this.taken = { rows, marks: told };
    this.news ??= setTimeout(() => {
      this.news = undefined;
      this.tell();
    }, 0); // not from within a drawing, which asks for the time
  }
}

/** The message with its records and marks in order of time; those of a lane stay in their order. */
export function sorted(head, records) {
  const count = Math.floor(records.byteLength / RECORD);
  const reached = new Map();
  const rows = [];
  for (let at = 0; at < count; at += 1) {
    const lane = head.channels[records.getUint32(at * RECORD + 8, true)][0];
    const time = Math.max(records.getFloat64(at * RECORD, true), reached.get(lane) ?? -Infinity);
    reached.set(lane, time);
    rows.push({ at, time });
  }
  rows.sort((one, other) => one.time - other.time || one.at - other.at);
  const bytes = new Uint8Array(count * RECORD);
  const from = new Uint8Array(records.buffer, records.byteOffset, count * RECORD);
  rows.forEach(({ at }, place) => bytes.set(from.subarray(at * RECORD, (at + 1) * RECORD), place * RECORD));
  const marks = [...(head.marks ?? [])].sort((one, other) => one[0] - other[0]);
  const times = Float64Array.from(rows, ({ time }) => time);
  const begin = Math.min(times.length ? times[0] : head.now, marks.length ? marks[0][0] : head.now);
  const moments = [...new Set(marks.map(([time]) => time))];
  return { head, records: new DataView(bytes.buffer), times, marks, moments, begin, end: Math.max(head.now, begin) };
}
