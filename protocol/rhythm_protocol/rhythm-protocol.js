/**
 * The wire of rhythmd, version 1, for browsers: bytes in, values out. PROTOCOL.md describes it.
 *
 * - MIDI, clock and cursor: `encode…` and `decode…` of both directions, whole payloads, opcode included
 * - control messages: `encodeControl`, `decodeControl` (msgpack), `encodeText`, `decodeText` (JSON)
 * - `closeRule`, `reconnectDelay`: what to do after a close
 * - `SessionCounter`: what to say so that the session goes on after it
 * - `LatenessMeter`: how late notes come in, for `timing`
 *
 * The other files beside this one are its parts; import from here. Decoders take a Uint8Array (texts: a string) and
 * throw only ProtocolError. 64-bit numbers are BigInts.
 */

import { ProtocolError } from "./rhythm-error.js";
import { MAX_NESTING, pack, unpack } from "./rhythm-msgpack.js";

export { ProtocolError };
export { CLOSE_RULES, SessionCounter, closeRule, reconnectDelay } from "./rhythm-session.js";
export { LatenessMeter } from "./rhythm-lateness.js";

export const VERSION = 1;
export const SUBPROTOCOL_BINARY = "rhythm.v1";
export const SUBPROTOCOL_JSON = "rhythm.v1.json";

export const OP_MIDI = 0x01;
export const OP_CLOCK = 0x02;
export const OP_CURSOR = 0x03;
export const OP_CONTROL = 0x10;

const EVENT_SIZE = 5;
const MIDI_HEAD = 5;
const BLOCK_HEAD = 7;
const MAX_BLOCK_EVENTS = 255;
const CURSOR_SIZE = 6;

function viewOf(bytes, opcode, size = null) {
  if (bytes[0] !== opcode) throw new ProtocolError(`expected opcode ${opcode}, got ${bytes[0]}`);
  if (size !== null && bytes.length !== size) throw new ProtocolError(`expected ${size} bytes, got ${bytes.length}`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function message(opcode, size) {
  const bytes = new Uint8Array(size);
  bytes[0] = opcode;
  return [bytes, new DataView(bytes.buffer)];
}

// MIDI: an event is [offset in ms, status, data 1, data 2]

function checkEvent([offset, status, data1, data2], index) {
  const oneDataByte = (status & 0xe0) === 0xc0;
  const valid = offset >= 0 && offset <= 0xffff && status >= 0x80 && status < 0xf0 &&
    data1 >= 0 && data1 < 0x80 && data2 >= 0 && data2 < 0x80 && !(oneDataByte && data2);
  if (!valid) throw new ProtocolError("no MIDI channel message", "invalid-midi", `events[${index}]`);
}

function writeEvents(bytes, view, at, events) {
  events.forEach((event, index) => {
    checkEvent(event, index);
    view.setUint16(at, event[0], true);
    bytes.set(event.slice(1), at + 2);
    at += EVENT_SIZE;
  });
}

function readEvents(bytes, view, at, count) {
  return Array.from({ length: count }, (_, index) => {
    const start = at + index * EVENT_SIZE;
    const event = [view.getUint16(start, true), ...bytes.subarray(start + 2, start + EVENT_SIZE)];
    checkEvent(event, index);
    return event;
  });
}

/** Client to server. `baseMs` is the server's clock in ms, taken modulo 2^32. */
export function encodeMidi(baseMs, events) {
  const [bytes, view] = message(OP_MIDI, MIDI_HEAD + events.length * EVENT_SIZE);
  view.setUint32(1, baseMs, true);
  writeEvents(bytes, view, MIDI_HEAD, events);
  return bytes;
}

export function decodeMidi(bytes) {
  const view = viewOf(bytes, OP_MIDI);
  const count = (bytes.length - MIDI_HEAD) / EVENT_SIZE;
  if (count < 1 || !Number.isInteger(count)) throw new ProtocolError(`no whole events in ${bytes.length} bytes`);
  return { baseMs: view.getUint32(1, true), events: readEvents(bytes, view, MIDI_HEAD, count) };
}

/** Server to client: blocks of `{slot, baseMs, events}`, at most 255 events each. */
export function encodeMidiBlocks(blocks) {
  const size = blocks.reduce((sum, { events }) => sum + BLOCK_HEAD + events.length * EVENT_SIZE, 1);
  const [bytes, view] = message(OP_MIDI, size);
  let at = 1;
  for (const { slot, baseMs, events } of blocks) {
    if (events.length > MAX_BLOCK_EVENTS) throw new RangeError("a block holds at most 255 events");
    view.setUint16(at, slot, true);
    view.setUint8(at + 2, events.length);
    view.setUint32(at + 3, baseMs, true);
    writeEvents(bytes, view, at + BLOCK_HEAD, events);
    at += BLOCK_HEAD + events.length * EVENT_SIZE;
  }
  return bytes;
}

export function decodeMidiBlocks(bytes) {
  const view = viewOf(bytes, OP_MIDI);
  const blocks = [];
  for (let at = 1; at < bytes.length; ) {
    const count = at + BLOCK_HEAD <= bytes.length ? bytes[at + 2] : 0;
    const stop = at + BLOCK_HEAD + count * EVENT_SIZE;
    if (count === 0 || stop > bytes.length) throw new ProtocolError(`block cut short or empty at byte ${at}`);
    const events = readEvents(bytes, view, at + BLOCK_HEAD, count);
    blocks.push({ slot: view.getUint16(at, true), baseMs: view.getUint32(at + 3, true), events });
    at = stop;
  }
  if (blocks.length === 0) throw new ProtocolError("no block in the message");
  return blocks;
}

// Clock

export function encodeClockRequest(value) {
  const [bytes, view] = message(OP_CLOCK, 9);
  view.setBigUint64(1, value, true);
  return bytes;
}

export function decodeClockRequest(bytes) {
  return { value: viewOf(bytes, OP_CLOCK, 9).getBigUint64(1, true) };
}

export function encodeClockReply({ value, receivedUs, sentUs }) {
  const [bytes, view] = message(OP_CLOCK, 25);
  [value, receivedUs, sentUs].forEach((number, index) => view.setBigUint64(1 + 8 * index, number, true));
  return bytes;
}

export function decodeClockReply(bytes) {
  const view = viewOf(bytes, OP_CLOCK, 25);
  const [value, receivedUs, sentUs] = [1, 9, 17].map((at) => view.getBigUint64(at, true));
  return { value, receivedUs, sentUs };
}

// Cursor

export function encodeCursor({ x, y }) {
  const [bytes, view] = message(OP_CURSOR, 5);
  view.setUint16(1, x, true);
  view.setUint16(3, y, true);
  return bytes;
}

export function decodeCursor(bytes) {
  const view = viewOf(bytes, OP_CURSOR, 5);
  return { x: view.getUint16(1, true), y: view.getUint16(3, true) };
}

export function encodeCursors(cursors) {
  const [bytes, view] = message(OP_CURSOR, 1 + cursors.length * CURSOR_SIZE);
  cursors.forEach(({ slot, x, y }, index) => {
    [slot, x, y].forEach((number, field) => view.setUint16(1 + index * CURSOR_SIZE + 2 * field, number, true));
  });
  return bytes;
}

export function decodeCursors(bytes) {
  const view = viewOf(bytes, OP_CURSOR);
  const count = (bytes.length - 1) / CURSOR_SIZE;
  if (count < 1 || !Number.isInteger(count)) throw new ProtocolError(`no whole cursors in ${bytes.length} bytes`);
  return Array.from({ length: count }, (_, index) => {
    const [slot, x, y] = [0, 2, 4].map((field) => view.getUint16(1 + index * CURSOR_SIZE + field, true));
    return { slot, x, y };
  });
}

// Control messages: {type, data, id}, the id optional

const isMap = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

function checkEnvelope(value) {
  if (!isMap(value) || typeof value.type !== "string") throw new ProtocolError("no map with a type");
  const { type, data = {}, id = null } = value;
  if (!isMap(data)) throw new ProtocolError("data is no map");
  if (id !== null && !(Number.isSafeInteger(id) && id >= 0)) throw new ProtocolError("id is not 0 to 2^53-1");
  return id === null ? { type, data } : { type, data, id };
}

/** What JSON.parse lets through and the protocol does not: deep nesting and half surrogate pairs. */
function checkTree(value, depth = 1) {
  if (depth > MAX_NESTING) throw new ProtocolError("nested too deep");
  if (typeof value === "string" && !value.isWellFormed()) throw new ProtocolError("half a surrogate pair");
  if (typeof value !== "object" || value === null) return;
  Object.keys(value).forEach((key) => checkTree(key, depth));
  Object.values(value).forEach((item) => checkTree(item, depth + 1));
}

/** The binary message of `{type, data, id}`; fields that are undefined are left out. */
export function encodeControl({ type, data = {}, id }) {
  return Uint8Array.from([OP_CONTROL, ...pack({ type, data, id })]);
}

export function decodeControl(bytes) {
  viewOf(bytes, OP_CONTROL);
  return checkEnvelope(unpack(bytes.subarray(1)));
}

/** The text message of `{type, data, id}`. */
export function encodeText({ type, data = {}, id }) {
  return JSON.stringify({ type, data, id });
}

export function decodeText(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError("not JSON");
  }
  checkTree(value);
  return checkEnvelope(value);
}
