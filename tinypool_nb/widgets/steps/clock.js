// Countdowns on the browser's own clock: the kernel says once how many milliseconds are left.

const TICK = 100; // milliseconds

class Countdown {
  // `draw(now)` is called now and then for as long as there is something to count; `now` is on the scale of `after`.
  constructor(draw) {
    this.draw = draw;
    this.timer = null;
  }

  // The time, on this clock, that is so many milliseconds away.
  static after(milliseconds) {
    return performance.now() + milliseconds;
  }

  start() {
    if (this.timer === null) this.timer = setInterval(() => this.tick(), TICK);
    this.tick();
  }

  tick() {
    if (!document.hidden) this.draw(performance.now());
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
