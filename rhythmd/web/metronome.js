/** The room's metronome: which beats fall when, and a click for each. */

const MICROSECONDS_A_MINUTE = 60_000_000;
const AHEAD_MS = 1500; // browsers let the timers of hidden pages run once a second
const EVERY_MS = 250;

/**
 * The beats of a metronome `{bpm, beats, start_us}` from one moment of the server's clock to before another, in
 * microseconds: their times and their places in the bar, 0 first.
 */
export function beatsBetween({ bpm, beats, start_us: start }, fromUs, toUs) {
  const length = MICROSECONDS_A_MINUTE / bpm;
  const found = [];
  for (let n = Math.max(0, Math.ceil((fromUs - start) / length)); start + n * length < toUs; n += 1) {
    found.push({ timeUs: start + n * length, place: n % beats });
  }
  return found;
}

export class Metronome {
  /**
   * @param clock the ServerClock
   * @param beat called some time before each beat, with its moment on `performance.now()` and its place in the bar
   * @param cancel called when the beats that were announced and have not come yet are not to come
   */
  constructor(clock, beat, cancel) {
    this.clock = clock;
    this.beat = beat;
    this.cancel = cancel;
    this.score = null;
  }

  /** Follow a metronome as the server describes it, or none when it is null. One that runs goes on until it starts. */
  follow(score) {
    if (JSON.stringify(score) === JSON.stringify(this.score)) return;
    clearInterval(this.timer);
    this.cancel();
    const former = this.score;
    this.score = score;
    if (score === null) return;
    this.announcedUs = -Infinity;
    this.timer = setInterval(() => this.announce(former), EVERY_MS);
    this.announce(former);
  }

  announce(former) {
    const nowUs = this.clock.now() * 1000;
    const fromUs = Math.max(this.announcedUs, nowUs);
    const toUs = Math.max(fromUs, nowUs + AHEAD_MS * 1000);
    const startUs = this.score.start_us;
    const earlier = former === null ? [] : beatsBetween(former, fromUs, Math.min(toUs, startUs));
    for (const { timeUs, place } of [...earlier, ...beatsBetween(this.score, fromUs, toUs)]) {
      this.beat(this.clock.local(timeUs / 1000), place);
    }
    this.announcedUs = toUs;
  }
}
