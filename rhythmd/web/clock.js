/** The server's clock, learned from exchanges over the socket; the shortest round trip is believed. */

const KEPT = 8;
const FIRST_EXCHANGES = 5;
const FIRST_EVERY_MS = 150;
const LATER_EVERY_MS = 3000;

// With so many questions open, the first for so long, the connection is dead, though nobody has said so yet.
const SILENT_QUESTIONS = 3;
const SILENT_MS = 9000;

export class ServerClock {
  /**
   * @param ask sends one clock request with the BigInt it is given
   * @param silent called when the server has stopped answering
   */
  constructor(ask, silent) {
    this.ask = ask;
    this.silent = silent;
    this.offset = 0;
    this.exchanges = [];
    this.open = []; // when the questions were asked that nothing has been heard since
    this.timer = null;
  }

  /** Start over with a new connection. `serverTime` (us) is of its welcome, and late by the way here. */
  start(serverTime) {
    this.stop();
    this.offset = serverTime / 1000 - performance.now();
    this.exchanges = [];
    this.open = [];
    this.exchange(1);
  }

  stop() {
    clearTimeout(this.timer);
  }

  exchange(count) {
    const now = performance.now();
    if (this.open.length >= SILENT_QUESTIONS && now - this.open[0] > SILENT_MS) {
      this.silent();
      return;
    }
    this.open.push(now);
    this.ask(BigInt(Math.round(now * 1000)));
    const pause = count < FIRST_EXCHANGES ? FIRST_EVERY_MS : LATER_EVERY_MS;
    this.timer = setTimeout(() => this.exchange(count + 1), pause);
  }

  answer({ value, receivedUs, sentUs }) {
    this.open = [];
    const [asked, received, sent] = [value, receivedUs, sentUs].map((microseconds) => Number(microseconds) / 1000);
    const now = performance.now();
    const exchange = { roundTrip: now - asked - (sent - received), offset: (received - asked + sent - now) / 2 };
    this.exchanges = [...this.exchanges.slice(1 - KEPT), exchange];
    this.offset = this.exchanges.reduce((best, next) => (next.roundTrip < best.roundTrip ? next : best)).offset;
  }

  /** Milliseconds of the server's clock. */
  now() {
    return performance.now() + this.offset;
  }

  /** `performance.now()` when the server's clock shows `serverMs`. */
  local(serverMs) {
    return serverMs - this.offset;
  }

  /** How many ms from now a base time (ms modulo 2^32) is; negative when it is past. */
  until(baseMs) {
    const now = this.now();
    return ((baseMs - Math.floor(now)) | 0) - (now % 1);
  }
}
