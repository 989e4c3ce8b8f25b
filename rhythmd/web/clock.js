/** The server's clock, learned from exchanges over the socket; the shortest round trips are believed. */

const KEPT = 40; // two minutes
const BEST_SHARE = 4; // one in so many is believed
const FIRST_EXCHANGES = 10;
const FIRST_EVERY_MS = 100;
const LATER_EVERY_MS = 3000;

// A better estimate is approached slowly, so that it does not bend the rhythm; one that is far better at once.
const SLEW = 0.01;
const JUMP_MS = 50;

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
    this.exchanges = [];
    this.open = []; // when the questions were asked that nothing has been heard since
    this.jump(0);
  }

  /** Start over with a new connection. `serverTime` (us) is of its welcome, and late by the way here. */
  start(serverTime) {
    this.stop();
    this.jump(serverTime / 1000 - performance.now());
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
    this.aim(bestOffset(this.exchanges));
  }

  jump(offset) {
    this.from = this.goal = offset;
    this.since = performance.now();
  }

  aim(offset) {
    if (this.exchanges.length <= FIRST_EXCHANGES || Math.abs(offset - this.offset) > JUMP_MS) {
      this.jump(offset);
      return;
    }
    this.from = this.offset;
    this.since = performance.now();
    this.goal = offset;
  }

  /** Milliseconds that the server's clock is ahead of `performance.now()`. */
  get offset() {
    const most = SLEW * (performance.now() - this.since);
    return this.from + Math.max(-most, Math.min(most, this.goal - this.from));
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

/** The mean of the exchanges with the shortest round trips; each may be wrong by half of its own. */
function bestOffset(exchanges) {
  const ranked = exchanges.toSorted((one, other) => one.roundTrip - other.roundTrip);
  const best = ranked.slice(0, Math.ceil(ranked.length / BEST_SHARE));
  const weights = best.map(({ roundTrip }) => 1 / Math.max(0.1, roundTrip) ** 2);
  const sum = best.reduce((total, { offset }, index) => total + weights[index] * offset, 0);
  return sum / weights.reduce((total, weight) => total + weight);
}
