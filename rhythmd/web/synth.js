/** A soft electric piano in WebAudio. Voices belong to a player's slot, a channel and a key. */

const HARMONICS = [0, 1, 0.5, 0.16, 0.1, 0.03, 0.02];
const ATTACK_S = 0.004;
const DECAY_S = 1.6; // time constant in the middle of the keyboard
const RELEASE_S = 0.09; // time constant after the key and the pedal are up
const SILENT_AFTER = 6; // time constants
const MAX_VOICES = 96;
const BEND_CENTS = 200;

const PEDAL = 64;
const ALL_SOUND_OFF = 120;
const RESET_CONTROLLERS = 121;
const ALL_NOTES_OFF = 123;

export class Synth {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.wave = this.context.createPeriodicWave(new Float32Array(HARMONICS.length), Float32Array.from(HARMONICS));
    this.input = this.context.createGain();
    this.input.gain.value = 0.22;
    this.connectOutput();
    this.channels = new Map();
    this.voices = [];
    this.context.addEventListener("statechange", () => this.strikeHeld());
  }

  connectOutput() {
    const compressor = this.context.createDynamicsCompressor();
    const room = this.context.createConvolver();
    const wet = this.context.createGain();
    room.buffer = this.roomSound(1.4);
    wet.gain.value = 0.25;
    this.input.connect(compressor);
    this.input.connect(room).connect(wet).connect(compressor);
    compressor.connect(this.context.destination);
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

  /** Begin what has been held since before it could sound. */
  strikeHeld() {
    if (!this.running) return;
    for (const channel of this.channels.values()) {
      for (const [key, held] of channel.held) held.voice ??= this.strike(channel, key, held.velocity, 0);
    }
  }

  /** Play a channel message of a player, `inMs` from now. */
  play(slot, [status, data1, data2], inMs) {
    const channel = this.channel(slot, status & 0x0f);
    const kind = status & 0xf0;
    if (kind === 0x90 && data2 > 0) this.noteOn(channel, data1, data2, inMs);
    else if (kind === 0x80 || kind === 0x90) this.noteOff(channel, data1, inMs);
    else if (kind === 0xb0) this.control(channel, data1, data2, inMs);
    else if (kind === 0xe0) this.bend(channel, ((data2 << 7) + data1 - 0x2000) / 0x2000, inMs);
  }

  /** End all that a player holds. */
  release(slot) {
    for (let number = 0; number < 16; number += 1) {
      const channel = this.channels.get(slot * 16 + number);
      if (channel) this.releaseAll(channel, 0);
      this.channels.delete(slot * 16 + number);
    }
  }

  channel(slot, number) {
    const id = slot * 16 + number;
    if (!this.channels.has(id)) this.channels.set(id, { held: new Map(), ringing: [], pedal: false, bend: 0 });
    return this.channels.get(id);
  }

  noteOn(channel, key, velocity, inMs) {
    this.noteOff(channel, key, inMs);
    channel.held.set(key, { velocity, voice: this.running ? this.strike(channel, key, velocity, inMs) : null });
  }

  noteOff(channel, key, inMs) {
    const voice = channel.held.get(key)?.voice;
    channel.held.delete(key);
    if (!voice) return;
    if (channel.pedal) channel.ringing.push(voice);
    else this.damp(voice, inMs);
  }

  control(channel, controller, value, inMs) {
    if (controller === PEDAL) this.pedal(channel, value >= 64, inMs);
    else if (controller === RESET_CONTROLLERS) {
      this.pedal(channel, false, inMs);
      this.bend(channel, 0, inMs);
    } else if (controller === ALL_SOUND_OFF) this.releaseAll(channel, inMs);
    else if (controller >= ALL_NOTES_OFF) [...channel.held.keys()].forEach((key) => this.noteOff(channel, key, inMs));
  }

  pedal(channel, down, inMs) {
    channel.pedal = down;
    if (!down) channel.ringing.splice(0).forEach((voice) => this.damp(voice, inMs));
  }

  bend(channel, amount, inMs) {
    channel.bend = amount * BEND_CENTS;
    const held = [...channel.held.values()].map(({ voice }) => voice);
    for (const voice of [...held, ...channel.ringing]) {
      voice?.source.detune.setValueAtTime(channel.bend, this.time(inMs));
    }
  }

  releaseAll(channel, inMs) {
    this.pedal(channel, false, inMs);
    [...channel.held.keys()].forEach((key) => this.noteOff(channel, key, inMs));
  }

  time(inMs) {
    return this.context.currentTime + Math.max(0, inMs) / 1000;
  }

  /** Start one voice: a tone whose brightness and loudness fade, faster the higher it is. */
  strike(channel, key, velocity, inMs) {
    const at = this.time(inMs);
    const frequency = 440 * 2 ** ((key - 69) / 12);
    const decay = DECAY_S * 2 ** ((60 - key) / 24);
    const source = new OscillatorNode(this.context, { frequency, detune: channel.bend });
    source.setPeriodicWave(this.wave);
    const filter = new BiquadFilterNode(this.context, { type: "lowpass", Q: 0.4 });
    filter.frequency.setValueAtTime(Math.min(16000, frequency * (3 + velocity / 16)), at);
    filter.frequency.setTargetAtTime(frequency * 2, at, decay / 2);
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime((velocity / 127) ** 1.6, at + ATTACK_S);
    gain.gain.setTargetAtTime(0, at + ATTACK_S, decay);
    source.connect(filter).connect(gain).connect(this.input);
    source.start(at);
    source.stop(at + SILENT_AFTER * decay);
    return this.keep({ source, gain, at });
  }

  /** Count a voice in until it ends; the oldest makes room when there are too many. */
  keep(voice) {
    this.voices.push(voice);
    voice.source.onended = () => {
      this.voices = this.voices.filter((other) => other !== voice);
      voice.gain.disconnect();
    };
    if (this.voices.length > MAX_VOICES) this.damp(this.voices.shift(), 0);
    return voice;
  }

  damp({ source, gain, at }, inMs) {
    const end = Math.max(this.time(inMs), at + 2 * ATTACK_S);
    gain.gain.cancelScheduledValues(end);
    gain.gain.setTargetAtTime(0, end, RELEASE_S);
    source.stop(end + SILENT_AFTER * RELEASE_S);
  }
}
