/** How late notes come in, as a listener measures it for `timing`. */

const WINDOW_MS = 10_000;
const SAMPLES = 1_000; // of a listener to black MIDI, the latest ones
const PERCENTILE = 95;
const LATEST_MS = 60_000;

/** The lateness of the notes of the last ten seconds: server's clock when a note came in, less the note's time. */
export class LatenessMeter {
  #samples = [];

  /** A note came in at `nowMs` of any clock that only goes forward, `lateMs` after its time. */
  add(lateMs, nowMs) {
    this.#samples.push({ lateMs, nowMs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** `late_ms` of a `timing`: the 95th percentile, 0 to 60,000; null when no note came lately. */
  report(nowMs) {
    this.#samples = this.#samples.filter((sample) => sample.nowMs > nowMs - WINDOW_MS);
    if (this.#samples.length === 0) return null;
    const ranked = this.#samples.map(({ lateMs }) => lateMs).sort((one, other) => one - other);
    const rank = Math.ceil((ranked.length * PERCENTILE) / 100);
    return Math.min(LATEST_MS, Math.max(0, Math.ceil(ranked[rank - 1])));
  }
}
