/** One socket that comes back by itself, as the table of close codes says. */

import {
  OP_CLOCK, OP_CONTROL, OP_CURSOR, OP_MIDI, SUBPROTOCOL_BINARY,
  closeRule, decodeClockReply, decodeControl, decodeCursors, decodeMidiBlocks, encodeControl, reconnectDelay,
} from "./rhythm-protocol.js";

const DECODERS = {
  [OP_MIDI]: ["midi", decodeMidiBlocks],
  [OP_CLOCK]: ["clock", decodeClockReply],
  [OP_CURSOR]: ["cursors", decodeCursors],
  [OP_CONTROL]: ["control", decodeControl],
};

/** The server's `error` to a request; `code` is of the published table. */
export class Refusal extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

export class Connection {
  /**
   * @param url where the server's WebSocket is
   * @param handlers `state(text, kind)` with a kind of "wait", "on" or "off"; `lost()`; and one function a message:
   *   `midi(blocks)`, `clock(reply)` and, by the type of a control message, `welcome(data)`, `user-joined(data)` …
   */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.attempt = 0;
    this.lastId = 0;
    this.open = new Map();
    this.announcedDelay = null;
  }

  connect() {
    this.handlers.state("connecting", "wait");
    this.socket = new WebSocket(this.url, SUBPROTOCOL_BINARY);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.receive(new Uint8Array(data));
    this.socket.onclose = ({ code }) => this.closed(code);
  }

  /** Send bytes; what cannot be sent now is of no use later. */
  send(bytes) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes);
  }

  /** Send a control message; resolves with the `data` of its `ack`, rejects with a Refusal. */
  request(type, data) {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      this.send(encodeControl({ type, data, id }));
    });
  }

  receive(bytes) {
    const [kind, decode] = DECODERS[bytes[0]] ?? [];
    if (decode === undefined) return; // a message of a later version
    const value = decode(bytes);
    if (kind === "control") this.control(value);
    else this.handlers[kind]?.(value);
  }

  control({ type, data, id }) {
    if (id !== undefined) {
      this.answer(type, data, id);
      return;
    }
    if (type === "welcome") {
      this.attempt = 0;
      this.handlers.state("connected", "on");
    }
    if (type === "stopping") this.announcedDelay = data.reconnect_after_ms;
    this.handlers[type]?.(data);
  }

  answer(type, data, id) {
    const request = this.open.get(id);
    this.open.delete(id);
    if (type === "ack") request?.resolve(data);
    else request?.reject(new Refusal(data));
  }

  closed(code) {
    this.open.forEach(({ reject }) => reject(new Refusal({ code: "lost", message: "the connection was lost" })));
    this.open.clear();
    this.handlers.lost?.();
    const delay = this.announcedDelay ?? reconnectDelay(code, this.attempt);
    this.announcedDelay = null;
    if (delay === null) {
      this.handlers.state(`disconnected: ${closeRule(code).name}`, "off");
      return;
    }
    this.attempt += 1;
    this.handlers.state(`reconnecting in ${Math.ceil(delay / 1000)} s`, "wait");
    setTimeout(() => this.connect(), delay);
  }
}
