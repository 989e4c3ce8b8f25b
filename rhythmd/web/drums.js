/** A small kit of drums, of noise and tones that fall, for channel 10. Keys are those of General MIDI. */

export const DRUMS = 9; // the channel, counted from 0

const SILENT_AFTER = 6; // time constants
const ATTACK_S = 0.002;

// `tone`: from and to Hz; `noise`: kind of filter and Hz; `decay`: time constant in seconds; `level`: of loudness.
const KICK = { tone: [150, 48], decay: 0.09, level: 1.3 };
const SNARE = { tone: [230, 170], noise: ["highpass", 1800], decay: 0.06, level: 0.9 };
const STICK = { noise: ["bandpass", 1700], decay: 0.02, level: 0.9 };
const CLAP = { noise: ["bandpass", 1200], decay: 0.07, level: 0.9 };
const CLOSED_HAT = { noise: ["highpass", 8000], decay: 0.02, level: 0.5 };
const OPEN_HAT = { noise: ["highpass", 7500], decay: 0.13, level: 0.5 };
const CYMBAL = { noise: ["highpass", 5000], decay: 0.4, level: 0.45 };
const OTHER = { noise: ["bandpass", 3200], decay: 0.03, level: 0.6 };
const tom = (hz) => ({ tone: [hz * 1.5, hz], decay: 0.14, level: 1 });

const KIT = new Map([
  [35, KICK], [36, KICK], [37, STICK], [38, SNARE], [39, CLAP], [40, SNARE],
  [42, CLOSED_HAT], [44, CLOSED_HAT], [46, OPEN_HAT],
  [41, tom(80)], [43, tom(95)], [45, tom(115)], [47, tom(140)], [48, tom(165)], [50, tom(190)],
  ...[49, 51, 52, 53, 55, 57, 59].map((key) => [key, CYMBAL]),
]);
const HATS = new Set([42, 44, 46]); // each ends the one before

export const isSameHat = (key, other) => HATS.has(key) && HATS.has(other);

export class Drums {
  constructor(context) {
    this.context = context;
    this.noise = context.createBuffer(1, 2 * context.sampleRate, context.sampleRate);
    const samples = this.noise.getChannelData(0);
    for (let i = 0; i < samples.length; i += 1) samples[i] = Math.random() * 2 - 1;
  }

  /** Begin the sound of `key` at `at`; its sources, of which the last ends last, and its gain, not connected yet. */
  strike(key, velocity, at) {
    const { tone, noise, decay, level } = KIT.get(key) ?? OTHER;
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    const loudness = level * (velocity / 127) ** 1.4;
    gain.gain.linearRampToValueAtTime(loudness, at + ATTACK_S);
    gain.gain.setValueAtTime(loudness, at + ATTACK_S); // where the ramp was left out, as in synth.js
    gain.gain.setTargetAtTime(0, at + ATTACK_S, decay);
    const sources = [tone && this.tone(tone, decay, gain, at), noise && this.hiss(noise, gain)].filter(Boolean);
    for (const source of sources) {
      source.start(at);
      source.stop(at + SILENT_AFTER * decay);
    }
    return { sources, gain, startsAt: at };
  }

  tone([from, to], decay, gain, at) {
    const source = new OscillatorNode(this.context, { frequency: from });
    source.frequency.setValueAtTime(from, at);
    source.frequency.setTargetAtTime(to, at, decay / 2);
    source.connect(gain);
    return source;
  }

  hiss([type, frequency], gain) {
    const source = new AudioBufferSourceNode(this.context, { buffer: this.noise, loop: true });
    source.connect(new BiquadFilterNode(this.context, { type, frequency })).connect(gain);
    return source;
  }
}
