// The record's clock, as far as the browser can know it: the two machines' clocks need not agree.

/** How many messages the estimate looks back: old ones go, so that a machine that slept is forgiven. */
const SAMPLES = 20;

/** Tells the record's time by the browser's steady clock and by the kernel's time in each message. */
export class RecordClock {
  constructor() {
    this.samples = [];
    this.ended = null;
  }

  /**
   * A message came.
   * @param recordNow the record's time when it was made, nanoseconds
   * @param browserNow performance.now() when it arrived, milliseconds
   */
  heard(recordNow, browserNow) {
    this.samples.push(recordNow - browserNow * 1e6);
    if (this.samples.length > SAMPLES) this.samples.shift();
    // A message can only be late, never early; the quickest of the last ones is nearest to the truth.
    this.offset = Math.max(...this.samples);
  }

  /** The record is over: its time stands still. */
  end(recordNow) {
    this.ended = recordNow;
  }

  /** The record's time, whole nanoseconds; null before the first message. */
  now(browserNow) {
    if (this.ended !== null) return this.ended;
    return this.samples.length ? Math.round(browserNow * 1e6 + this.offset) : null;
  }
}
