// Which stretch of time is in sight: it follows now, or stands where a person put it.

import { columnOf } from "./lanes.js";

export const SHORTEST = 1e7; // nanoseconds: core's own stamps are whole milliseconds
export const LONGEST = 30 * 86_400e9;

/** The right edge while following lies a little after now, so that the newest change does not stick to it. */
const AIR = 0.01;

export class Viewport {
  /** @param span nanoseconds in sight */
  constructor(span) {
    this.span = clamped(span);
    this.end = null; // where a person put it; null while following
  }

  get following() {
    return this.end === null;
  }

  /** Follow now. */
  follow() {
    this.end = null;
  }

  /** Stay where it is. */
  pause(now) {
    if (this.following) this.end = this.endAt(now);
  }

  endAt(now) {
    return this.following ? now + this.span * AIR : this.end;
  }

  /** Move by a share of what is in sight; to the past is negative. Who comes back to now follows it again. */
  pan(share, now) {
    const end = this.endAt(now) + share * this.span;
    this.end = end >= now + this.span * AIR ? null : end;
  }

  /**
   * Show `factor` times as much. The time at `anchor` (a share of the width, from the left) stays where it is; now does, while following.
   */
  zoom(factor, anchor, now) {
    const before = this.span;
    this.span = clamped(before * factor);
    if (!this.following) this.end += (1 - anchor) * (this.span - before);
  }

  /**
   * What is in sight on so many pixels: {start, end, pixels, column}, whole nanoseconds.
   *
   * It begins at a multiple of its column, so that it moves by whole pixels: what is merged stays merged while it moves, and
   * a picture in which nothing moved by a pixel need not be drawn again.
   */
  at(now, pixels) {
    const column = columnOf(this.span, pixels);
    const start = Math.ceil(this.endAt(now) / column - pixels) * column;
    return { start, end: start + column * pixels, pixels, column };
  }
}

function clamped(span) {
  return Math.min(Math.max(span, SHORTEST), LONGEST);
}
