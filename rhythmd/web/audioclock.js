/** Where the AudioContext's clock stands against `performance.now()`. */

const WINDOW_MS = 2000;
const EVERY_MS = 50;

export class AudioClock {
  /** @param context an AudioContext, or whatever has its `currentTime` */
  constructor(context) {
    this.context = context;
    this.restart();
  }

  /** Begin anew: the context was stopped for a while. */
  restart() {
    this.readings = [];
    clearInterval(this.timer);
    this.timer = setInterval(() => this.read(performance.now()), EVERY_MS);
  }

  /**
   * Compare the clocks. The context's goes in steps, one for each buffer that the sound card takes, so that it shows
   * too little at any moment but just after a step: the most it has been ahead of late is where it stands.
   */
  read(nowMs) {
    const reading = { atMs: nowMs, offset: this.context.currentTime - nowMs / 1000 };
    this.readings = this.readings.filter(({ atMs, offset }) => atMs > nowMs - WINDOW_MS && offset > reading.offset);
    this.readings.push(reading);
  }

  /** Seconds of the context less seconds of `performance.now()`. */
  get offset() {
    return this.readings[0].offset;
  }

  /** The context's time, in seconds, at which `performance.now()` shows `dueMs`; now, if that is past. */
  at(dueMs) {
    this.read(performance.now());
    return Math.max(this.context.currentTime, dueMs / 1000 + this.offset);
  }
}
