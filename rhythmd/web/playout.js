/**
 * When each note of the others is to be heard: at its time on the server's clock plus the room's playout delay, which
 * covers the way here, so that the rhythm is the player's and not the network's.
 */

import { HeldNotes, endOf, isNoteOff, isNoteOn } from "./held.js";
import { LatenessMeter } from "./rhythm-protocol.js";

// What comes this much after its moment was held up somewhere: more is behind it, perhaps the ends of its notes.
const STALL_MS = 50;
const BURST_MS = 20; // for which that is waited for

export class Playout {
  /**
   * @param clock the ServerClock
   * @param play called with a slot, a channel message and the moment it is due on `performance.now()`, in order
   */
  constructor(clock, play) {
    this.clock = clock;
    this.play = play;
    this.delayMs = 0;
    this.sheetSlot = null; // whose notes come ahead of their time
    this.held = new HeldNotes();
    this.meter = new LatenessMeter();
    this.lastDue = new Map(); // by slot
    this.waiting = [];
  }

  /** Blocks of {slot, baseMs, events} came in. */
  receive(blocks) {
    const now = performance.now();
    this.waiting.push(...blocks.flatMap((block) => this.scheduled(block, now)));
    const stalled = this.waiting.some(({ dueMs }) => dueMs < now - STALL_MS);
    if (stalled) this.flushing ??= setTimeout(() => this.flush(), BURST_MS);
    else this.flush();
  }

  scheduled({ slot, baseMs, events }, now) {
    const base = now + this.clock.until(baseMs);
    return events.map(([offset, ...message]) => {
      const playedMs = base + offset;
      if (isNoteOn(message) && slot !== this.sheetSlot) this.meter.add(now - playedMs, now);
      return { slot, message, dueMs: this.inOrder(slot, playedMs + this.delayMs) };
    });
  }

  /** Not before what the same player did earlier, though the delay or the clock's estimate has changed. */
  inOrder(slot, dueMs) {
    const due = Math.max(dueMs, this.lastDue.get(slot) ?? -Infinity);
    this.lastDue.set(slot, due);
    return due;
  }

  flush() {
    clearTimeout(this.flushing);
    this.flushing = null;
    for (const { slot, message, dueMs } of withoutPassed(this.waiting.splice(0), performance.now())) {
      this.held.apply(slot, message);
      this.play(slot, message, dueMs);
    }
  }

  /** Go on from a snapshot, [{slot, state}]: what is not in it ends, what is only in it starts. */
  replace(notes) {
    this.flush();
    const dueMs = performance.now() + this.delayMs;
    for (const [slot, message] of this.held.replace(notes)) this.play(slot, message, this.inOrder(slot, dueMs));
  }

  /** How late the notes of the last seconds came in, in ms, for `timing`; null when there were none. */
  lateness() {
    return this.meter.report(performance.now());
  }

  /** The server plays a sheet from this slot; null: it plays none. */
  follow(slot) {
    if (this.sheetSlot !== null && this.sheetSlot !== slot) this.release(this.sheetSlot);
    this.sheetSlot = slot;
  }

  /** A player is gone. */
  release(slot) {
    this.flush();
    const dueMs = performance.now() + this.delayMs;
    for (const message of this.held.release(slot)) this.play(slot, message, this.inOrder(slot, dueMs));
    this.lastDue.delete(slot);
  }

  /** Forget everything. */
  clear() {
    clearTimeout(this.flushing);
    this.flushing = null;
    this.waiting = [];
    this.held.clear();
    this.lastDue.clear();
    this.meter = new LatenessMeter();
  }
}

/** `events`, {slot, message, dueMs} in order, without the note-ons whose note-offs are past as well. */
export function withoutPassed(events, nowMs) {
  const ended = new Set();
  const kept = events.toReversed().filter(({ slot, message, dueMs }) => {
    if (dueMs > nowMs) return true;
    const key = `${slot}:${endOf(message)}`;
    if (isNoteOff(message)) ended.add(key);
    return !(isNoteOn(message) && ended.has(key));
  });
  return kept.toReversed();
}
