/** What is played, heard and seen: the loudspeakers, the keys, the trails and who is playing. */

import { Agenda } from "./agenda.js";
import { DRUMS } from "./drums.js";
import { isNoteOff, isNoteOn } from "./held.js";

export class Music {
  constructor({ synth, piano, trails, people }) {
    Object.assign(this, { synth, piano, trails, people });
    this.agenda = new Agenda();
  }

  /** Let a player's channel message be heard and seen when `performance.now()` shows `dueMs`. */
  play(slot, message, dueMs) {
    this.synth.play(slot, message, dueMs);
    this.agenda.at(dueMs, () => this.show(slot, message));
  }

  /** A player is gone, and all that they held has been ended. */
  forget(slot) {
    this.synth.forget(slot);
  }

  show(slot, message) {
    if (isNoteOn(message)) this.begin(slot, message);
    else if (isNoteOff(message)) this.end(slot, message);
  }

  /** A drum is no key of the piano: only who plays it is shown. The same key of two channels is held twice. */
  begin(slot, [status, key]) {
    const channel = status & 0x0f;
    this.people.press(slot, channel * 128 + key);
    if (channel === DRUMS) return;
    const colour = this.people.colour(slot);
    this.piano.light(slot * 16 + channel, key, colour);
    this.trails.begin(slot * 16 + channel, key, colour);
  }

  end(slot, [status, key]) {
    const channel = status & 0x0f;
    this.people.release(slot, channel * 128 + key);
    this.piano.unlight(slot * 16 + channel, key);
    this.trails.end(slot * 16 + channel, key);
  }

  /** End all that sounds, and all that was to sound. */
  hush() {
    this.agenda.clear();
    this.synth.hush();
    this.piano.unlightAll();
    this.trails.endAll();
    this.people.releaseAll();
  }
}
