/** msgpack, as much of it as control messages need. Numbers of 64 bits lose what a JavaScript number cannot hold. */

import { ProtocolError } from "./rhythm-error.js";

/** How deep lists and maps may stand within each other. */
export const MAX_NESTING = 1000;

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

/** The bytes of `value`, as a list; a map's fields that are undefined are left out. */
export function pack(value) {
  const out = [];
  writeValue(out, value);
  return out;
}

/** The one value that `bytes` hold. Throws ProtocolError. */
export function unpack(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at !== bytes.length) throw new ProtocolError("trailing data");
  return value;
}
