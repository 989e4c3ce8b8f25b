/** Runs the golden vectors and the shared steps against the JavaScript module. */

import * as protocol from "/static/rhythm-protocol.js";

const plainEvents = ({ baseMs, events }) => ({ base_ms: baseMs, events });
const plainBlock = ({ slot, baseMs, events }) => ({ slot, base_ms: baseMs, events });
const block = ({ slot, base_ms, events }) => ({ slot, baseMs: base_ms, events });

const FAST = {
  "midi client": {
    decode: (bytes) => plainEvents(protocol.decodeMidi(bytes)),
    encode: ({ base_ms, events }) => protocol.encodeMidi(base_ms, events),
  },
  "midi server": {
    decode: (bytes) => protocol.decodeMidiBlocks(bytes).map(plainBlock),
    encode: (blocks) => protocol.encodeMidiBlocks(blocks.map(block)),
  },
  "clock client": {
    decode: (bytes) => ({ value: String(protocol.decodeClockRequest(bytes).value) }),
    encode: ({ value }) => protocol.encodeClockRequest(BigInt(value)),
  },
  "clock server": {
    decode: (bytes) => {
      const { value, receivedUs, sentUs } = protocol.decodeClockReply(bytes);
      return { value: String(value), received_us: String(receivedUs), sent_us: String(sentUs) };
    },
    encode: ({ value, received_us, sent_us }) =>
      protocol.encodeClockReply({ value: BigInt(value), receivedUs: BigInt(received_us), sentUs: BigInt(sent_us) }),
  },
  "cursor client": { decode: protocol.decodeCursor, encode: protocol.encodeCursor },
  "cursor server": { decode: protocol.decodeCursors, encode: protocol.encodeCursors },
};

const CONTROL = {
  "rhythm.v1": { decode: protocol.decodeControl, encode: protocol.encodeControl },
  "rhythm.v1.json": { decode: protocol.decodeText, encode: protocol.encodeText },
};

function codecOf(layout, vector) {
  return layout === "control" ? CONTROL[vector.subprotocol] : FAST[`${layout} ${vector.direction}`];
}

function payloadOf(vector) {
  if (vector.text !== undefined) return vector.text;
  const digits = vector.hex.replaceAll(" ", "").match(/../g) ?? [];
  return Uint8Array.from(digits, (pair) => parseInt(pair, 16));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
const bytesOf = (payload) => (typeof payload === "string" ? payload : Array.from(payload).join(" "));

function outcome(decode, payload) {
  try {
    return { value: decode(payload) };
  } catch (error) {
    return error instanceof protocol.ProtocolError
      ? { error: { code: error.code, field: error.field ?? undefined } }
      : { error: String(error) };
  }
}

/** What is wrong with one vector, or null. Checks of a control message's fields are the server's. */
function failure(layout, vector) {
  const { decode, encode } = codecOf(layout, vector);
  const payload = payloadOf(vector);
  const expected = vector.value === undefined ? { error: vector.error } : { value: vector.value };
  const got = outcome(decode, payload);
  if (!same(got, expected)) return `decoded ${JSON.stringify(got)}`;
  const numbersKeepTheirForm = layout !== "control" || vector.direction === "client";
  if (vector.canonical && numbersKeepTheirForm && bytesOf(encode(vector.value)) !== bytesOf(payload)) {
    return "encoded otherwise";
  }
  return null;
}

function problems({ layout, vectors }) {
  return vectors.flatMap((vector) => {
    const problem = failure(layout, vector);
    return problem === null ? [] : [`${layout} ${vector.direction} ${vector.subprotocol} ${vector.name}: ${problem}`];
  });
}

/** How many vectors of `files` were checked, and a line for each that the module breaks. */
export function check(files) {
  return {
    checked: files.reduce((count, { vectors }) => count + vectors.length, 0),
    failures: files.flatMap(problems),
  };
}

function sessionSteps() {
  const counter = new protocol.SessionCounter();
  return {
    is: (expected) => same(counter, expected),
    resumed: (session, recovered) => counter.resumed({ session, recovered }),
    ...Object.fromEntries(
      ["welcomed", "heard", "refused", "forget"].map((name) => [name, (value) => counter[name](value)]),
    ),
  };
}

function latenessSteps() {
  const meter = new protocol.LatenessMeter();
  return {
    add: (lateMs, nowMs) => meter.add(lateMs, nowMs),
    report: (nowMs, expected) => meter.report(nowMs) === expected,
  };
}

const STEPS = { resume: sessionSteps, lateness: latenessSteps };

/** Where the module does not do what the run `steps/<file>.json` says; null when it does. */
function stray(file, { name, steps }) {
  const actions = STEPS[file]();
  const at = steps.findIndex(([action, ...values]) => actions[action](...values) === false);
  return at < 0 ? null : `${file}, ${name}: ${JSON.stringify(steps[at])}`;
}

/** How many runs of `files` (by name) were made, and a line for each that the module leaves. */
export function follow(files) {
  const results = Object.entries(files).flatMap(([file, { runs }]) => runs.map((run) => stray(file, run)));
  return { made: results.length, failures: results.filter((result) => result !== null) };
}
