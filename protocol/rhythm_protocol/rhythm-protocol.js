/**
 * The wire of rhythmd, version 1, for browsers: bytes in, values out. PROTOCOL.md describes it.
 *
 * - MIDI, clock and cursor: `encode…` and `decode…` of both directions, whole payloads, opcode included
 * - control messages: `encodeControl`, `decodeControl` (msgpack), `encodeText`, `decodeText` (JSON)
 * - `closeRule`, `reconnectDelay`: what to do after a close
 *
 * Decoders take a Uint8Array (texts: a string) and throw only ProtocolError. 64-bit numbers are BigInts.
 */

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
const MAX_NESTING = 1000;

/** The peer's bytes are no message of this protocol. `code` and `field` are those of PROTOCOL.md's error table. */
export class ProtocolError extends Error {
  constructor(message, code = "malformed-message", field = null) {
    super(message);
    this.name = "ProtocolError";
    this.code = code;
    this.field = field;
  }
}

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

// msgpack, as much of it as control messages need

const UTF8_ENCODER = new TextEncoder();
const UTF8_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Rows of [largest value, head, bytes that follow it], shortest first.
const UNSIGNED_FORMS = [[0xff, 0xcc, 1], [0xffff, 0xcd, 2], [0xffffffff, 0xce, 4], [Infinity, 0xcf, 8]];
const NEGATIVE_FORMS = [[0x80, 0xd0, 1], [0x8000, 0xd1, 2], [0x80000000, 0xd2, 4], [Infinity, 0xd3, 8]];
const STRING_FORMS = [[0x1f, 0xa0, 0], [0xff, 0xd9, 1], [0xffff, 0xda, 2], [0xffffffff, 0xdb, 4]];
const ARRAY_FORMS = [[0x0f, 0x90, 0], [0xffff, 0xdc, 2], [0xffffffff, 0xdd, 4]];
const MAP_FORMS = [[0x0f, 0x80, 0], [0xffff, 0xde, 2], [0xffffffff, 0xdf, 4]];

/** `number` in the shortest of `forms`, most significant byte first; of a form of size 0 the head holds it. */
function writeForm(out, number, forms) {
  const [, head, size] = forms.find(([largest]) => Math.abs(number) <= largest);
  if (size === 0) {
    out.push(head | number);
    return;
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt.asIntN(64, BigInt(number)));
  out.push(head, ...new Uint8Array(view.buffer, 8 - size));
}

function writeNumber(out, number) {
  if (!Number.isSafeInteger(number)) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, number);
    out.push(0xcb, ...new Uint8Array(view.buffer));
  } else if (number >= -0x20 && number < 0x80) {
    out.push(number & 0xff);
  } else {
    writeForm(out, number, number < 0 ? NEGATIVE_FORMS : UNSIGNED_FORMS);
  }
}

function writeString(out, string) {
  const bytes = UTF8_ENCODER.encode(string);
  writeForm(out, bytes.length, STRING_FORMS);
  for (const byte of bytes) out.push(byte);
}

function writeMap(out, map) {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined);
  writeForm(out, entries.length, MAP_FORMS);
  for (const [key, value] of entries) {
    writeString(out, key);
    writeValue(out, value);
  }
}

function writeValue(out, value) {
  if (value === null) out.push(0xc0);
  else if (typeof value === "boolean") out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(out, value);
  else if (typeof value === "string") writeString(out, value);
  else if (Array.isArray(value)) {
    writeForm(out, value.length, ARRAY_FORMS);
    for (const item of value) writeValue(out, item);
  } else writeMap(out, value);
}

/** Reads one msgpack value from front to back. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.depth = 0;
  }

  /** Go on by `size` bytes and return where they start. */
  take(size) {
    const start = this.at;
    if (start + size > this.bytes.length) throw new ProtocolError("cut short");
    this.at += size;
    return start;
  }

  blob(size) {
    const start = this.take(size);
    return this.bytes.subarray(start, this.at);
  }

  string(size) {
    const bytes = this.blob(size);
    try {
      return UTF8_DECODER.decode(bytes);
    } catch {
      throw new ProtocolError("a string is not UTF-8");
    }
  }

  array(length) {
    const items = [];
    while (items.length < length) items.push(this.value());
    return items;
  }

  map(length) {
    const entries = [];
    while (entries.length < length) {
      const key = this.value();
      if (typeof key !== "string") throw new ProtocolError("a map's key is no string");
      entries.push([key, this.value()]);
    }
    return Object.fromEntries(entries);
  }

  value() {
    this.depth += 1;
    if (this.depth > MAX_NESTING) throw new ProtocolError("nested too deep");
    const head = this.bytes[this.take(1)];
    const read = FIXED.find(([below]) => head < below)?.[1] ?? FORMATS.get(head);
    if (read === undefined) throw new ProtocolError(`msgpack type ${head} is not used here`);
    const value = read(this, head);
    this.depth -= 1;
    return value;
  }
}

const u8 = (reader) => reader.view.getUint8(reader.take(1));
const u16 = (reader) => reader.view.getUint16(reader.take(2));
const u32 = (reader) => reader.view.getUint32(reader.take(4));

// Heads that hold a small number or a length: rows of [below, reader].
const FIXED = [
  [0x80, (_, head) => head],
  [0x90, (reader, head) => reader.map(head & 0x0f)],
  [0xa0, (reader, head) => reader.array(head & 0x0f)],
  [0xc0, (reader, head) => reader.string(head & 0x1f)],
];

const FORMATS = new Map([
  [0xc0, () => null],
  [0xc2, () => false],
  [0xc3, () => true],
  [0xc4, (reader) => reader.blob(u8(reader))],
  [0xc5, (reader) => reader.blob(u16(reader))],
  [0xc6, (reader) => reader.blob(u32(reader))],
  [0xca, (reader) => reader.view.getFloat32(reader.take(4))],
  [0xcb, (reader) => reader.view.getFloat64(reader.take(8))],
  [0xcc, u8],
  [0xcd, u16],
  [0xce, u32],
  [0xcf, (reader) => Number(reader.view.getBigUint64(reader.take(8)))],
  [0xd0, (reader) => reader.view.getInt8(reader.take(1))],
  [0xd1, (reader) => reader.view.getInt16(reader.take(2))],
  [0xd2, (reader) => reader.view.getInt32(reader.take(4))],
  [0xd3, (reader) => Number(reader.view.getBigInt64(reader.take(8)))],
  [0xd9, (reader) => reader.string(u8(reader))],
  [0xda, (reader) => reader.string(u16(reader))],
  [0xdb, (reader) => reader.string(u32(reader))],
  [0xdc, (reader) => reader.array(u16(reader))],
  [0xdd, (reader) => reader.array(u32(reader))],
  [0xde, (reader) => reader.map(u16(reader))],
  [0xdf, (reader) => reader.map(u32(reader))],
  ...Array.from({ length: 0x20 }, (_, index) => [0xe0 + index, () => index - 0x20]),
]);

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
  const out = [OP_CONTROL];
  writeMap(out, { type, data, id });
  return Uint8Array.from(out);
}

export function decodeControl(bytes) {
  viewOf(bytes, OP_CONTROL);
  const reader = new Reader(bytes.subarray(1));
  const value = reader.value();
  if (reader.at !== reader.bytes.length) throw new ProtocolError("trailing data");
  return checkEnvelope(value);
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

// What to do after a close

/** By code: the name, and the pair of seconds between which the first reconnect waits (null: do not come back). */
export const CLOSE_RULES = {
  1000: { name: "normal", reconnectAfter: null },
  1001: { name: "going-away", reconnectAfter: [0.5, 2] },
  1002: { name: "protocol-error", reconnectAfter: null },
  1003: { name: "unsupported-data", reconnectAfter: null },
  1006: { name: "abnormal", reconnectAfter: [0.5, 2] },
  1007: { name: "invalid-data", reconnectAfter: null },
  1009: { name: "message-too-big", reconnectAfter: null },
  1011: { name: "internal-error", reconnectAfter: [2, 10] },
  1012: { name: "restarting", reconnectAfter: [1, 10] },
  1013: { name: "try-again-later", reconnectAfter: [5, 30] },
  4000: { name: "silent", reconnectAfter: [0.5, 2] },
  4001: { name: "slow", reconnectAfter: [1, 5] },
  4002: { name: "flooding", reconnectAfter: [10, 30] },
  4003: { name: "login-expired", reconnectAfter: null },
  4004: { name: "login-revoked", reconnectAfter: null },
  4005: { name: "user-banned", reconnectAfter: null },
};

const LONGEST_WAIT_S = 60;

/** The row for `code`; an unknown code counts as a lost connection (1006). */
export function closeRule(code) {
  return CLOSE_RULES[code] ?? CLOSE_RULES[1006];
}

/**
 * Milliseconds to wait before reconnecting, or null for never. `attempt` counts the tries since the last welcome,
 * from 0; each doubles the wait, up to a minute.
 */
export function reconnectDelay(code, attempt, random = Math.random) {
  const pair = closeRule(code).reconnectAfter;
  if (pair === null) return null;
  const [shortest, longest] = pair.map((seconds) => Math.min(seconds * 2 ** attempt, LONGEST_WAIT_S));
  return 1000 * (shortest + random() * (longest - shortest));
}
