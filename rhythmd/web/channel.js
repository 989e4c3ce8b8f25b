/** What the controllers of one channel of one player say: where pedals, volume and bend are. No sound of its own. */

const [DATA_ENTRY, VOLUME, EXPRESSION, DATA_ENTRY_FINE] = [6, 7, 11, 38];
const [INCREMENT, DECREMENT, NRPN_FINE, NRPN, RPN_FINE, RPN] = [96, 97, 98, 99, 100, 101];
const FULL = 127;
const NO_PARAMETER = 0x3fff; // the null of RPN
const BEND_RANGE = 0; // of RPN: semitones, and hundredths of one
const USUAL_VOLUME = 100;
const USUAL_RANGE_CENTS = 200;

export class Channel {
  constructor() {
    this.volume = USUAL_VOLUME;
    this.semitones = USUAL_RANGE_CENTS / 100;
    this.cents = 0;
    this.reset();
  }

  /** Reset All Controllers, as MIDI's RP-015 has it: volume and the bend range stay. */
  reset() {
    this.expression = FULL;
    this.parameter = NO_PARAMETER;
    this.bend = 0; // -1 to 1
  }

  /** 1 at the volume that a channel begins with; the loudness grows with the square, as General MIDI says. */
  get loudness() {
    return ((this.volume / USUAL_VOLUME) * (this.expression / FULL)) ** 2;
  }

  get bendCents() {
    return this.bend * (this.semitones * 100 + this.cents);
  }

  /** Take a controller that says how things sound from now on. */
  control(controller, value) {
    if (controller === VOLUME) this.volume = value;
    else if (controller === EXPRESSION) this.expression = value;
    else if (controller === NRPN || controller === NRPN_FINE) this.parameter = NO_PARAMETER;
    else if (controller === RPN) this.parameter = (value << 7) | (this.parameter & 0x7f);
    else if (controller === RPN_FINE) this.parameter = (this.parameter & 0x3f80) | value;
    else if (this.parameter === BEND_RANGE) this.enter(controller, value);
  }

  enter(controller, value) {
    if (controller === DATA_ENTRY) this.semitones = value;
    else if (controller === DATA_ENTRY_FINE) this.cents = Math.min(value, 99);
    else if (controller === INCREMENT) this.cents += 1;
    else if (controller === DECREMENT) this.cents -= 1;
  }
}
