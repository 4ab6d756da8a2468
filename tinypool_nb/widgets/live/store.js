// What the browser knows: the lanes with their changes, the marks, and the texts that they name by number.

import { NOTHING, lowerBound } from "./lanes.js";

const VERSION = 1;
export const RECORD = 18; // bytes: float64 time, uint32 channel, uint32 reason, int8 state, uint8 inferred; little-endian, see widgets/packing.py
const SHUTDOWN = 4;
const MOST_MARKS = 1000;

/** The changes of one module, as columns that grow. */
export class Lane {
  constructor(number, name) {
    this.number = number;
    this.name = name;
    this.count = 0;
    this.newest = null; // the state's code now; null before the first change
    this.reserve(16);
  }

  reserve(size) {
    const grown = (Kind, old) => {
      const column = new Kind(size);
      if (old) column.set(old.subarray(0, this.count));
      return column;
    };
    this.times = grown(Float64Array, this.times);
    this.states = grown(Int8Array, this.states);
    this.channels = grown(Uint32Array, this.channels);
    this.reasons = grown(Uint32Array, this.reasons);
    this.inferred = grown(Uint8Array, this.inferred);
  }

  append(time, state, channel, reason, inferred) {
    if (this.count === this.times.length) this.reserve(2 * this.count);
    const place = this.count;
    // A stamp out of order counts as no time at all.
    this.times[place] = place ? Math.max(time, this.times[place - 1]) : time;
    this.states[place] = state === SHUTDOWN ? NOTHING : state; // a closed module has no interval
    this.channels[place] = channel;
    this.reasons[place] = reason;
    this.inferred[place] = inferred;
    this.newest = state;
    this.count += 1;
  }

  /** Since when it is in its state, nanoseconds since the epoch. */
  get since() {
    return this.count ? this.times[this.count - 1] : null;
  }

  /** Forget what ended before `time`; returns how many changes went. */
  trim(time) {
    const gone = Math.min(lowerBound(this.times, this.count, time), this.count) - 1; // the interval that reaches over `time` stays
    if (gone <= 0) return 0;
    for (const column of [this.times, this.states, this.channels, this.reasons, this.inferred]) column.copyWithin(0, gone, this.count);
    this.count -= gone;
    return gone;
  }
}

/** All that was sent, kept up to a bound. */
export class Store {
  /** @param most changes to keep; the oldest eighth goes at once */
  constructor(most) {
    this.most = most;
    this.clear(0);
  }

  clear(epoch) {
    this.epoch = epoch; // whole seconds since 1970-01-01 UTC
    this.lanes = [];
    this.channels = []; // {lane, address, transport, generation}
    this.reasons = [""];
    this.marks = []; // {time, lane (-1: all), kind, text}, in order of time
    this.count = 0;
    this.older = 0; // changes that the record had and that are not here
    this.newest = -Infinity; // the time of the newest change or mark
  }

  /** The empty string for a version that can be read, else what to do, in words. */
  static refusal(head) {
    return head.version === VERSION ? "" : "This view and the kernel speak different versions of tinypool_nb: reload the page.";
  }

  /**
   * Take up a message.
   * @param head its JSON
   * @param records its buffer, as a DataView
   */
  take(head, records) {
    if (head.type === "snapshot") {
      this.clear(head.epoch);
      this.older = head.older ?? 0;
    }
    for (const name of head.lanes ?? []) this.lanes.push(new Lane(this.lanes.length, name));
    for (const [lane, address, transport, generation] of head.channels ?? []) this.channels.push({ lane, address, transport, generation });
    for (const reason of head.reasons ?? []) this.reasons.push(reason);
    for (const [time, lane, kind, text] of head.marks ?? []) this.mark({ time, lane, kind, text });
    const count = Math.floor(records.byteLength / RECORD);
    for (let at = 0; at < count * RECORD; at += RECORD) {
      const time = records.getFloat64(at, true);
      const channel = records.getUint32(at + 8, true);
      const lane = this.lanes[this.channels[channel].lane];
      lane.append(time, records.getInt8(at + 16), channel, records.getUint32(at + 12, true), records.getUint8(at + 17));
      if (time > this.newest) this.newest = time;
    }
    this.count += count;
    if (this.count > this.most + this.most / 8) this.trim();
  }

  mark(mark) {
    let place = this.marks.length;
    while (place && this.marks[place - 1].time > mark.time) place -= 1;
    this.marks.splice(place, 0, mark);
    if (this.marks.length > MOST_MARKS) this.marks.shift();
    if (mark.time > this.newest) this.newest = mark.time;
  }

  /** Forget the oldest changes, of all lanes alike. */
  trim() {
    const times = new Float64Array(this.lanes.reduce((sum, lane) => sum + lane.count, 0));
    let place = 0;
    for (const lane of this.lanes) {
      times.set(lane.times.subarray(0, lane.count), place);
      place += lane.count;
    }
    times.sort();
    const cut = times[Math.max(0, times.length - this.most)];
    for (const lane of this.lanes) {
      const gone = lane.trim(cut);
      this.count -= gone;
      this.older += gone;
    }
  }
}
