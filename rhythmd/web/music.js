/** What is played, heard and seen: the loudspeakers, the keys, the trails and who is playing. */

import { Agenda } from "./agenda.js";
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

  show(slot, message) {
    const key = message[1];
    if (isNoteOn(message)) {
      const colour = this.people.colour(slot);
      this.piano.light(slot, key, colour);
      this.trails.begin(slot, key, colour);
      this.people.press(slot, key);
    } else if (isNoteOff(message)) {
      this.piano.unlight(slot, key);
      this.trails.end(slot, key);
      this.people.release(slot, key);
    }
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
