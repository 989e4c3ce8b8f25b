/** The metronome's sound. */

const ACCENT_HZ = 1760;
const BEAT_HZ = 1175;
const LOUDNESS = 0.25;
const ATTACK_S = 0.001;
const DECAY_S = 0.012; // time constant
const LENGTH_S = 0.08;

export class Clicks {
  /** @param synth whose context, clock and output they use */
  constructor({ context, clock, output }) {
    this.context = context;
    this.clock = clock;
    this.output = output;
    this.coming = new Set();
  }

  /** Click when `performance.now()` shows `dueMs`. */
  at(dueMs, isAccent) {
    if (this.context.state !== "running") return;
    const at = this.clock.at(dueMs);
    const source = new OscillatorNode(this.context, { frequency: isAccent ? ACCENT_HZ : BEAT_HZ });
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    const loudness = isAccent ? LOUDNESS : LOUDNESS / 2;
    gain.gain.linearRampToValueAtTime(loudness, at + ATTACK_S);
    gain.gain.setValueAtTime(loudness, at + ATTACK_S); // where the ramp was left out, as in synth.js
    gain.gain.setTargetAtTime(0, at + ATTACK_S, DECAY_S);
    source.connect(gain).connect(this.output);
    source.start(at);
    source.stop(at + LENGTH_S);
    this.keep({ source, gain, at });
  }

  keep(click) {
    this.coming.add(click);
    click.source.onended = () => {
      this.coming.delete(click);
      click.gain.disconnect();
    };
  }

  /** Leave out those that have not begun. */
  cancel() {
    for (const { source, at } of this.coming) if (at > this.context.currentTime) source.stop();
  }
}
