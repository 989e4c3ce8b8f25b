/**
 * A soft electric piano, and on channel 10 drums, in WebAudio. Voices belong to a player's slot, a channel and a key.
 * Messages are taken in the order in which they are played, some time before they are due; within, times are seconds of
 * the context.
 */

import { AudioClock } from "./audioclock.js";
import { Channel } from "./channel.js";
import { DRUMS, Drums, isSameHat } from "./drums.js";

const HARMONICS = [0, 1, 0.5, 0.16, 0.1, 0.03, 0.02];
const ATTACK_S = 0.004;
const DECAY_S = 1.6; // time constant in the middle of the keyboard
const RELEASE_S = 0.09; // time constant after the key and the pedal are up
const SILENT_AFTER = 6; // time constants
const MAX_VOICES = 96;
const SOFT = 0.6; // of the velocity, while the soft pedal is down

const DAMPER = 64;
const SOSTENUTO = 66;
const SOFT_PEDAL = 67;
const HOLD_2 = 69;
const ALL_SOUND_OFF = 120;
const RESET_CONTROLLERS = 121;
const ALL_NOTES_OFF = 123; // the modes after it imply it

export class Synth {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.clock = new AudioClock(this.context);
    this.wave = this.context.createPeriodicWave(new Float32Array(HARMONICS.length), Float32Array.from(HARMONICS));
    this.input = this.context.createGain();
    this.input.gain.value = 0.22;
    this.connectOutput();
    this.drums = new Drums(this.context);
    this.channels = new Map();
    this.voices = [];
    this.context.addEventListener("statechange", () => this.changed());
  }

  connectOutput() {
    this.output = this.context.createDynamicsCompressor();
    const room = this.context.createConvolver();
    const wet = this.context.createGain();
    room.buffer = this.roomSound(1.4);
    wet.gain.value = 0.25;
    this.input.connect(this.output);
    this.input.connect(room).connect(wet).connect(this.output);
    this.output.connect(this.context.destination);
  }

  /** Decaying noise: the echo of a room of `seconds`. */
  roomSound(seconds) {
    const length = Math.round(seconds * this.context.sampleRate);
    const buffer = this.context.createBuffer(2, length, this.context.sampleRate);
    for (const side of [0, 1]) {
      const samples = buffer.getChannelData(side);
      for (let i = 0; i < length; i += 1) samples[i] = (Math.random() * 2 - 1) * (1 - i / length) ** 3;
    }
    return buffer;
  }

  get running() {
    return this.context.state === "running";
  }

  /** Let it sound; browsers want that from within a user's gesture. */
  start() {
    return this.context.resume();
  }

  /** When it may sound, begin what has been held since before. */
  changed() {
    if (!this.running) return;
    this.clock.restart();
    const now = this.context.currentTime;
    for (const channel of this.channels.values()) {
      for (const [key, held] of channel.held) held.voice ??= this.voice(channel, key, held.velocity, now);
    }
  }

  /** Play a channel message of a player when `performance.now()` shows `dueMs`; at once when that is past. */
  play(slot, [status, data1, data2], dueMs) {
    const at = this.clock.at(dueMs);
    const channel = this.channel(slot, status & 0x0f);
    const kind = status & 0xf0;
    if (kind === 0x90 && data2 > 0) this.noteOn(channel, data1, data2, at);
    else if (kind === 0x80 || kind === 0x90) this.noteOff(channel, data1, at);
    else if (kind === 0xb0) this.control(channel, data1, data2, at);
    else if (kind === 0xe0) {
      channel.state.bend = ((data2 << 7) + data1 - 0x2000) / 0x2000;
      this.tune(channel, at);
    }
  }

  /** A player is gone, whose slot may be another's later. */
  forget(slot) {
    for (const [id, channel] of this.channels) {
      if (id >> 4 !== slot) continue;
      for (const voice of this.voices) if (voice.channel === channel) this.damp(voice, this.context.currentTime);
      this.channels.delete(id);
    }
  }

  /** End all that sounds or was to sound. */
  hush() {
    const now = this.context.currentTime;
    this.channels.clear();
    for (const voice of this.voices) {
      if (voice.startsAt > now) voice.sources.forEach((source) => source.stop());
      else this.damp(voice, now);
    }
  }

  channel(slot, number) {
    const id = slot * 16 + number;
    if (!this.channels.has(id)) this.channels.set(id, this.open(number));
    return this.channels.get(id);
  }

  /** A channel: its keys that are down, the voices that a pedal keeps, and what its controllers say. */
  open(number) {
    const output = new GainNode(this.context);
    output.connect(this.input);
    const state = new Channel();
    return { isDrums: number === DRUMS, state, output, held: new Map(), ringing: new Set(), pedals: new Map() };
  }

  noteOn(channel, key, velocity, at) {
    if (channel.isDrums) {
      this.hit(channel, key, velocity, at);
      return;
    }
    this.noteOff(channel, key, at);
    channel.held.set(key, { velocity, voice: this.voice(channel, key, velocity, at) });
  }

  /** Drums end by themselves. */
  hit(channel, key, velocity, at) {
    if (!this.running) return;
    for (const voice of this.voices) {
      if (voice.channel === channel && isSameHat(voice.key, key) && voice.startsAt <= at) this.damp(voice, at);
    }
    const voice = this.drums.strike(key, velocity, at);
    voice.gain.connect(channel.output);
    this.keep({ ...voice, channel, key });
  }

  noteOff(channel, key, at) {
    const voice = channel.held.get(key)?.voice;
    channel.held.delete(key);
    if (!voice) return;
    if (this.isSustained(channel) || voice.isHeldBySostenuto) channel.ringing.add(voice);
    else this.damp(voice, at);
  }

  control(channel, controller, value, at) {
    if ([DAMPER, SOSTENUTO, SOFT_PEDAL, HOLD_2].includes(controller)) this.pedal(channel, controller, value >= 64, at);
    else if (controller === RESET_CONTROLLERS) this.reset(channel, at);
    else if (controller === ALL_SOUND_OFF) this.silence(channel, at);
    else if (controller >= ALL_NOTES_OFF) [...channel.held.keys()].forEach((key) => this.noteOff(channel, key, at));
    else {
      channel.state.control(controller, value);
      channel.output.gain.setTargetAtTime(channel.state.loudness, at, ATTACK_S);
      this.tune(channel, at);
    }
  }

  reset(channel, at) {
    channel.state.reset();
    channel.output.gain.setTargetAtTime(channel.state.loudness, at, ATTACK_S);
    this.tune(channel, at);
    for (const pedal of [...channel.pedals.keys()]) this.pedal(channel, pedal, false, at);
  }

  isSustained({ pedals }) {
    return Boolean(pedals.get(DAMPER) || pedals.get(HOLD_2));
  }

  /** Sostenuto keeps what is down when it goes down, the damper and hold 2 whatever is let go, soft makes no sound. */
  pedal(channel, pedal, down, at) {
    const wasDown = channel.pedals.get(pedal) ?? false;
    channel.pedals.set(pedal, down);
    if (pedal === SOSTENUTO && down !== wasDown) {
      for (const { voice } of channel.held.values()) if (voice) voice.isHeldBySostenuto = down;
      for (const voice of channel.ringing) voice.isHeldBySostenuto &&= down;
    }
    if (this.isSustained(channel)) return;
    for (const voice of channel.ringing) if (!voice.isHeldBySostenuto) this.end(channel, voice, at);
  }

  end(channel, voice, at) {
    channel.ringing.delete(voice);
    this.damp(voice, at);
  }

  /** Bend all that sounds. */
  tune(channel, at) {
    const { bendCents } = channel.state;
    const voices = [...[...channel.held.values()].map(({ voice }) => voice), ...channel.ringing];
    for (const voice of voices) voice?.sources[0].detune.setValueAtTime(bendCents, at);
  }

  /** End all voices at once; the pedals stay where they are. */
  silence(channel, at) {
    channel.held.clear();
    channel.ringing.clear();
    for (const voice of this.voices) if (voice.channel === channel) this.damp(voice, at);
  }

  /** A voice of the piano; null while nothing may sound. */
  voice(channel, key, velocity, at) {
    if (!this.running) return null;
    return this.strike(channel, key, channel.pedals.get(SOFT_PEDAL) ? velocity * SOFT : velocity, at);
  }

  /** Start one voice: a tone whose brightness and loudness fade, faster the higher it is. */
  strike(channel, key, velocity, at) {
    const frequency = 440 * 2 ** ((key - 69) / 12);
    const decay = DECAY_S * 2 ** ((60 - key) / 24);
    const source = new OscillatorNode(this.context, { frequency, detune: channel.state.bendCents });
    source.setPeriodicWave(this.wave);
    const filter = new BiquadFilterNode(this.context, { type: "lowpass", Q: 0.4 });
    filter.frequency.setValueAtTime(Math.min(16000, frequency * (3 + velocity / 16)), at);
    filter.frequency.setTargetAtTime(frequency * 2, at, decay / 2);
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    const loudness = (velocity / 127) ** 1.6;
    gain.gain.linearRampToValueAtTime(loudness, at + ATTACK_S);
    // Chromium leaves a ramp out that is past when it comes to it, and would go on from 0: the note would be silent.
    gain.gain.setValueAtTime(loudness, at + ATTACK_S);
    gain.gain.setTargetAtTime(0, at + ATTACK_S, decay);
    source.connect(filter).connect(gain).connect(channel.output);
    source.start(at);
    source.stop(at + SILENT_AFTER * decay);
    return this.keep({ sources: [source], gain, startsAt: at, channel, key, isHeldBySostenuto: false });
  }

  /** Count a voice in until it ends; the oldest makes room when there are too many. */
  keep(voice) {
    this.voices.push(voice);
    voice.sources[0].onended = () => {
      voice.channel.ringing.delete(voice);
      this.voices = this.voices.filter((other) => other !== voice);
      voice.gain.disconnect();
    };
    if (this.voices.length > MAX_VOICES) this.damp(this.voices.shift(), this.context.currentTime);
    return voice;
  }

  damp({ sources, gain, startsAt }, at) {
    const end = Math.max(at, startsAt + 2 * ATTACK_S);
    gain.gain.cancelScheduledValues(end);
    gain.gain.setTargetAtTime(0, end, RELEASE_S);
    for (const source of sources) source.stop(end + SILENT_AFTER * RELEASE_S);
  }
}
