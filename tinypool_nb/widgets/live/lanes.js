// What of many intervals can be drawn on few pixels: narrow ones are merged and the worst state wins.
//
// The rule stands in tinypool_nb/core/lanes.py; tests/vectors/lanes.json holds both to it. Here one lane is merged at a time, since
// only the lanes that are in sight are drawn, and an interval ends where the next one of its lane begins.

/** The state of a lane where it has no interval: a hole, or the time after its module was closed. */
export const NOTHING = -2;

/** Nanoseconds that one column of pixels stands for: whole, rounded up. */
export function columnOf(span, pixels) {
  return Math.max(1, Math.ceil(span / pixels));
}

/** The place of the first of `count` ascending times that is not before `time`. */
export function lowerBound(times, count, time) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Merges lanes, one after the other, always into the same arrays: a drawing makes no garbage. */
export class Merger {
  /** @param severity how bad each state is, by its code (-1: unknown), from 0 */
  constructor(severity) {
    this.severity = new Int8Array(8).fill(-1);
    for (const [code, bad] of Object.entries(severity)) this.severity[Number(code) + 1] = bad;
    this.count = 0; // segments, and below their columns
    this.start = [];
    this.end = [];
    this.state = [];
    this.first = []; // the first interval that a segment touches, by its place in the lane
    this.last = []; // the last one
    this.shown = []; // the first one that has the segment's state
    this.round = 0;
    this.reserve(0);
  }

  reserve(columns) {
    if (this.crowded && columns <= this.crowded.length) return;
    this.crowded = new Uint32Array(columns); // the round in which the column was crowded last: nothing has to be cleared
    this.emitted = new Uint32Array(columns);
    this.worst = new Int8Array(columns);
    this.stateOf = new Int8Array(columns);
    this.firstOf = new Uint32Array(columns);
    this.lastOf = new Uint32Array(columns);
    this.shownOf = new Uint32Array(columns);
    this.round = 0;
  }

  /**
   * Reduce the intervals of a lane to the segments that the viewport's pixels can show.
   * @param lane {times, states, count}: when each interval began, ascending whole nanoseconds, and its state
   * @param viewport {start, end, pixels}
   * @param now where the last interval ends, if it is open
   * @returns this
   */
  merge(lane, viewport, now) {
    const { times, states, count } = lane;
    const { start: from, end: until, pixels } = viewport;
    const width = columnOf(until - from, pixels);
    const low = Math.max(0, lowerBound(times, count, from) - 1);
    this.reserve(pixels);
    this.count = 0;
    this.round += 1;

    const begin = (i) => Math.max(times[i], from);
    const finish = (i) => Math.min(Math.max(i + 1 < count ? times[i + 1] : now, times[i] + 1), until);
    const column = (time) => Math.floor((time - from) / width);
    const each = (visit) => {
      for (let i = low; i < count && times[i] < until; i += 1) {
        if (states[i] === NOTHING) continue;
        const [s, e] = [begin(i), finish(i)];
        if (e > from) visit(i, s, e, column(s), column(e - 1));
      }
    };

    let narrow = false;
    each((i, s, e, left, right) => {
      if (e - s >= width) return;
      narrow = true;
      this.crowd(left);
      this.crowd(right);
    });
    if (!narrow) {
      each((i, s, e) => this.emit(s, e, states[i], i, i, i));
      return this;
    }
    each((i, s, e, left, right) => {
      this.touch(left, i, states[i]);
      if (right !== left) this.touch(right, i, states[i]);
    });
    each((i, s, e, left, right) => {
      const [givesWayLeft, givesWayRight] = [this.isCrowded(left), this.isCrowded(right)];
      if (givesWayLeft) this.emitColumn(left, from, until, width);
      if (e - s >= width) {
        // Intervals of a lane do not overlap, so a wide one touches crowded columns with its ends only.
        const restStart = givesWayLeft ? from + (left + 1) * width : s;
        const restEnd = givesWayRight ? from + right * width : e;
        if (restEnd > restStart) this.emit(restStart, restEnd, states[i], i, i, i);
      }
      if (givesWayRight) this.emitColumn(right, from, until, width);
    });
    return this;
  }

  isCrowded(column) {
    return this.crowded[column] === this.round;
  }

  crowd(column) {
    if (this.isCrowded(column)) return;
    this.crowded[column] = this.round;
    this.worst[column] = -1;
  }

  touch(column, place, state) {
    if (!this.isCrowded(column)) return;
    const bad = this.severity[state + 1];
    if (this.worst[column] < 0) this.firstOf[column] = place;
    this.lastOf[column] = place;
    if (bad > this.worst[column]) {
      this.worst[column] = bad;
      this.stateOf[column] = state;
      this.shownOf[column] = place;
    }
  }

  emitColumn(column, from, until, width) {
    if (this.emitted[column] === this.round) return;
    this.emitted[column] = this.round;
    const start = from + column * width;
    this.emit(start, Math.min(start + width, until), this.stateOf[column], this.firstOf[column], this.lastOf[column], this.shownOf[column]);
  }

  /** Add a segment, or prolong the last one if that touches it and shows the same state. */
  emit(start, end, state, first, last, shown) {
    const before = this.count - 1;
    if (before >= 0 && this.state[before] === state && this.end[before] === start) {
      this.end[before] = end;
      this.last[before] = last;
      return;
    }
    const place = this.count;
    this.start[place] = start;
    this.end[place] = end;
    this.state[place] = state;
    this.first[place] = first;
    this.last[place] = last;
    this.shown[place] = shown;
    this.count += 1;
  }
}
