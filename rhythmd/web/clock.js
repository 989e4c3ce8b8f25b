/** The server's clock, learned from exchanges over the socket; the shortest round trip is believed. */

const KEPT = 8;
const FIRST_EXCHANGES = 5;
const FIRST_EVERY_MS = 150;
const LATER_EVERY_MS = 5000;

export class ServerClock {
  /** @param ask sends one clock request with the BigInt it is given */
  constructor(ask) {
    this.ask = ask;
    this.offset = 0;
    this.exchanges = [];
    this.timer = null;
  }

  /** Start over with a new connection. `serverTime` (us) is of its welcome, and late by the way here. */
  start(serverTime) {
    this.stop();
    this.offset = serverTime / 1000 - performance.now();
    this.exchanges = [];
    this.exchange(1);
  }

  stop() {
    clearTimeout(this.timer);
  }

  exchange(count) {
    this.ask(BigInt(Math.round(performance.now() * 1000)));
    const pause = count < FIRST_EXCHANGES ? FIRST_EVERY_MS : LATER_EVERY_MS;
    this.timer = setTimeout(() => this.exchange(count + 1), pause);
  }

  answer({ value, receivedUs, sentUs }) {
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

  /** How many ms from now a base time (ms modulo 2^32) is; negative when it is past. */
  until(baseMs) {
    return (baseMs - Math.floor(this.now())) | 0;
  }
}
