/** What is to be shown later, in order. Two timers may fire the wrong way round; this never does. */

export class Agenda {
  constructor() {
    this.entries = []; // the next one first
    this.timer = null;
  }

  /** Call `action` when `performance.now()` shows `dueMs`; at once when that is past. */
  at(dueMs, action) {
    const after = this.entries.findLastIndex((entry) => entry.dueMs <= dueMs);
    this.entries.splice(after + 1, 0, { dueMs, action });
    this.run();
  }

  /** Forget all that was still to come. */
  clear() {
    this.entries = [];
    clearTimeout(this.timer);
  }

  run() {
    clearTimeout(this.timer);
    while (this.entries[0]?.dueMs <= performance.now()) this.entries.shift().action();
    if (this.entries.length) this.timer = setTimeout(() => this.run(), this.entries[0].dueMs - performance.now());
  }
}
