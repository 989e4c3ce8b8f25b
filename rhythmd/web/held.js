/** What players hold, as far as the music that came in says: keys, pedals and bends. */

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL_CHANGE = 0xb0;
const PITCH_BEND = 0xe0;

const PEDALS = new Set([64, 66, 67, 69]); // sustain, sostenuto, soft, hold 2
const ALL_SOUND_OFF = 120;
const RESET_CONTROLLERS = 121;
const ALL_NOTES_OFF = 123; // the modes after it imply it
const OMNI_OFF = 124; // and on
const MONO = 126; // and poly
const BEND_CENTRE = 0x40;

const kindOf = (status) => status & 0xf0;
const channelOf = (status) => status & 0x0f;

export const isNoteOn = ([status, , velocity]) => kindOf(status) === NOTE_ON && velocity > 0;
const isMode = ([status, data1]) => kindOf(status) === CONTROL_CHANGE && data1 >= OMNI_OFF;
const modeOf = ([status, data1]) => String([status, data1 < MONO ? OMNI_OFF : MONO]);
export const isNoteOff = ([status, , velocity]) =>
  kindOf(status) === NOTE_OFF || (kindOf(status) === NOTE_ON && velocity === 0);

/** The message that ends what a channel message begins, or is the end of; null when there is no such thing. */
export function endOf([status, data1]) {
  const kind = kindOf(status);
  if (kind === NOTE_ON || kind === NOTE_OFF) return [NOTE_OFF | channelOf(status), data1, 0];
  if (kind === CONTROL_CHANGE && PEDALS.has(data1)) return [status, data1, 0];
  return kind === PITCH_BEND ? [status, 0, BEND_CENTRE] : null;
}

const isEnd = (message, end) => isNoteOff(message) || String(message) === String(end);

/** What one player holds: of each held thing the message that ends it, and the one that began it. */
class Hand {
  constructor() {
    this.held = new Map();
    this.modes = new Map();
  }

  apply(message) {
    const end = endOf(message);
    if (end === null) this.applyMode(message);
    else if (isEnd(message, end)) this.held.delete(String(end));
    else this.held.set(String(end), { end, message });
  }

  applyMode(message) {
    const [status, data1] = message;
    if (kindOf(status) !== CONTROL_CHANGE) return;
    if (isMode(message)) this.modes.set(modeOf(message), String(message));
    const channel = channelOf(status);
    if (data1 === RESET_CONTROLLERS) this.drop((end) => channelOf(end) === channel && kindOf(end) !== NOTE_OFF);
    else if (data1 === ALL_SOUND_OFF || data1 >= ALL_NOTES_OFF) this.drop((end) => end === (NOTE_OFF | channel));
  }

  drop(isMeant) {
    for (const [key, { end }] of this.held) if (isMeant(end[0])) this.held.delete(key);
  }

  /** Whether `message` changes nothing here. A key that is down is not struck again. */
  has(message) {
    if (isMode(message)) return this.modes.get(modeOf(message)) === String(message);
    const known = this.held.get(String(endOf(message)))?.message;
    return known !== undefined && (isNoteOn(message) || String(known) === String(message));
  }

  /** What of a snapshot's `state` is new here. A new mode ends the keys of its channel: they are new as well. */
  newIn(state) {
    const isNew = (message) => !this.has(message);
    const modes = state.filter((message) => isMode(message) && isNew(message));
    const silenced = new Set(modes.map(([status]) => channelOf(status)));
    return state.filter((message) => isNew(message) || (isNoteOn(message) && silenced.has(channelOf(message[0]))));
  }

  /** What ends all that is held here and not in `other`. */
  endsUnlessIn(other) {
    return [...this.held].filter(([key]) => !other.held.has(key)).map(([, { end }]) => end);
  }
}

const NOTHING = new Hand();

/** What all players of a room hold, by slot. Messages are [status, data 1, data 2]. */
export class HeldNotes {
  constructor() {
    this.hands = new Map();
  }

  apply(slot, message) {
    if (!this.hands.has(slot)) this.hands.set(slot, new Hand());
    this.hands.get(slot).apply(message);
  }

  /** Take a snapshot, [{slot, state}], for all there is; what leads there from here, as a list of [slot, message]. */
  replace(notes) {
    const before = this.hands;
    const hand = (slot) => before.get(slot) ?? NOTHING;
    const starts = notes.flatMap(({ slot, state }) => hand(slot).newIn(state).map((message) => [slot, message]));
    this.hands = new Map();
    for (const { slot, state } of notes) state.forEach((message) => this.apply(slot, message));
    const ends = [...before].flatMap(([slot, known]) =>
      known.endsUnlessIn(this.hands.get(slot) ?? NOTHING).map((message) => [slot, message]));
    return [...ends, ...starts];
  }

  /** Forget a player; what ends all that they held, as a list of messages. */
  release(slot) {
    const ends = this.hands.get(slot)?.endsUnlessIn(NOTHING) ?? [];
    this.hands.delete(slot);
    return ends;
  }

  clear() {
    this.hands.clear();
  }
}
