/** One socket that comes back by itself, as the table of close codes says, and goes on with its session. */

import {
  OP_CLOCK, OP_CONTROL, OP_CURSOR, OP_MIDI, SUBPROTOCOL_BINARY, SessionCounter,
  closeRule, decodeClockReply, decodeControl, decodeCursors, decodeMidiBlocks, encodeControl, reconnectDelay,
} from "./rhythm-protocol.js";

const DECODERS = {
  [OP_MIDI]: ["midi", decodeMidiBlocks],
  [OP_CLOCK]: ["clock", decodeClockReply],
  [OP_CURSOR]: ["cursors", decodeCursors],
  [OP_CONTROL]: ["control", decodeControl],
};

const SILENT = 4000;
const LOGIN_EXPIRED = 4003;
const MORE_THAN_CAME = Number.MAX_SAFE_INTEGER;
const WELCOME_WITHIN_MS = 10_000;
const ASK_EVERY = 4; // sockets that were not opened, before the server, which may have enough to do, is asked why again

// Why a session cannot be resumed now, but may be later.
const LATER = new Set(["stopping", "unavailable", "connection-lost"]);

/**
 * The server's `error` to a request. `code` is of the published table, or "answer-lost" when the server has handled the
 * request and its answer will not come, or "lost" when nobody knows whether it has.
 */
export class Refusal extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

export class Connection {
  /**
   * @param url where the server's WebSocket is
   * @param handlers one function a message: `midi(blocks)`, `clock(reply)` and, by the type of a control message,
   *   `user-joined(data)` …; and these:
   *   - `state(text, kind)` with a kind of "wait", "on" or "off"
   *   - `lost(returns)`: the socket is gone; if another follows, what is asked for now waits for it
   *   - `welcome(data)`: a new socket; whose session it will carry is not known yet
   *   - `lapsed(data)`: asked before that: a promise of whether the user's login was renewed, and is good on the next
   *     socket; null when there is nothing to renew
   *   - `turnedAway()`: the server did not open a socket; a promise of whether it will open none to this browser
   *   - `begin(data)`: the session of this welcome begins, no earlier one goes on
   *   - `resumed(data)`: the session goes on, with the `data` of the resume's ack
   *   The last two may return a promise that resolves when a room has been entered.
   */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.attempt = 0;
    this.announcedDelay = null;
    this.counter = new SessionCounter();
    this.ready = false; // whether the socket carries our session
    this.isRenewed = false; // whether the login was renewed since one was good
    this.goal = null; // at this count all has come that was missed
    this.lastId = 0;
    this.resumeId = null;
    this.open = new Map(); // requests without an answer, by id, in order
  }

  // Coming and going

  /** The token that our session can be resumed with; null when there is none. */
  get session() {
    return this.counter.resume?.session ?? this.counter.session;
  }

  /** Go on with a session that an earlier page had. Of its room this page knows nothing, and gets all of it. */
  goOnWith(session) {
    this.counter.resume = { session, received: MORE_THAN_CAME };
  }

  connect() {
    clearTimeout(this.retry);
    this.retry = null;
    this.handlers.state(this.counter.session === null ? "connecting" : "reconnecting", "wait");
    this.socket = new WebSocket(this.url, SUBPROTOCOL_BINARY);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.receive(new Uint8Array(data));
    this.socket.onopen = () => (this.isOpen = true);
    this.socket.onclose = ({ code }) => this.closed(code);
    this.isOpen = false;
    this.deadline = setTimeout(() => this.abandon(), WELCOME_WITHIN_MS);
  }

  /** The network is back: do not wait for the next try. */
  hurry() {
    if (this.retry !== null) this.connect();
  }

  /** The page was asleep, and its socket with it. */
  awake() {
    if (this.session === null) return;
    this.abandon();
    this.hurry();
  }

  /** Give up a socket that has gone silent; its goodbye would take as long. */
  abandon() {
    clearTimeout(this.retry);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(SILENT);
    this.closed(SILENT);
  }

  closed(code) {
    clearTimeout(this.deadline);
    this.ready = false;
    this.goal = this.resumeId = null;
    const announced = this.announcedDelay;
    this.announcedDelay = null;
    if (!this.isOpen && this.attempt % ASK_EVERY === 0) this.askWhy(this.socket);
    const delay = code === LOGIN_EXPIRED ? 0 : announced ?? reconnectDelay(code, this.attempt);
    this.handlers.lost(delay !== null);
    if (delay === null) {
      this.counter.forget();
      this.handlers.state(`disconnected: ${closeRule(code).name}`, "off");
      return;
    }
    this.attempt += 1;
    const reason = code === LOGIN_EXPIRED ? "login ran out" : announced === null ? "connection lost" : "the server restarts";
    this.handlers.state(`${reason}, reconnecting in ${Math.ceil(delay / 1000)} s`, "wait");
    this.retry = setTimeout(() => this.connect(), delay);
  }

  /** A browser shows no reason why a socket was not opened. */
  async askWhy(socket) {
    const isKeptOut = await this.handlers.turnedAway?.();
    if (!isKeptOut || this.socket !== socket) return;
    clearTimeout(this.retry);
    this.retry = null;
    this.counter.forget();
    this.handlers.lost(false);
    this.handlers.state("disconnected: user-banned", "off");
  }

  // The session

  welcomed(welcome) {
    clearTimeout(this.deadline);
    const renewal = this.isRenewed ? null : this.handlers.lapsed?.(welcome) ?? null;
    if (renewal === null) this.take(welcome);
    else this.renew(welcome, renewal);
  }

  /** Begin on a new socket with the login renewed, or go on without one. Only once, or it would have no end. */
  async renew(welcome, renewal) {
    const { socket } = this;
    const isGood = await renewal;
    if (this.socket !== socket || socket.readyState !== WebSocket.OPEN) return;
    this.isRenewed = true;
    if (!isGood) {
      this.take(welcome);
      return;
    }
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.connect();
  }

  /** Begin, or go on, with the session on this socket. */
  take(welcome) {
    this.attempt = 0;
    this.isRenewed = false;
    this.counter.welcomed(welcome.session);
    const resume = this.counter.resume;
    if (resume !== null) {
      this.resumeId = ++this.lastId;
      this.send(encodeControl({ type: "resume", data: resume, id: this.resumeId }));
    }
    this.fresh = welcome;
    this.handlers.welcome(welcome);
    if (resume === null) this.begin();
  }

  begin() {
    this.ready = true;
    this.handlers.state("connected", "on");
    this.withoutAnswers(() => this.handlers.begin(this.fresh));
  }

  resumeAnswered(type, data) {
    this.resumeId = null;
    if (type === "ack") {
      this.counter.resumed(data);
      this.goOn(data);
    } else if (LATER.has(data.code)) {
      this.abandon();
    } else {
      this.counter.refused(); // too late, or nobody knows it any more
      this.begin();
    }
  }

  goOn(ack) {
    this.ready = true;
    this.handlers.state("connected", "on");
    if (ack.recovered) {
      this.goal = this.counter.received + ack.missed;
      this.handlers.resumed(ack);
      this.sendAgain();
    } else {
      this.withoutAnswers(() => this.handlers.resumed(ack), ack.last_id);
    }
  }

  /**
   * The answers to what was asked before will not come: say so to who asked, once `enter` has entered a room.
   * `lastId` is of the last request that was handled.
   */
  async withoutAnswers(enter, lastId = null) {
    const asked = [...this.open];
    this.open.clear();
    await enter();
    for (const [id, { reject }] of asked) {
      reject(new Refusal({ code: id <= lastId ? "answer-lost" : "lost", message: "the connection was lost" }));
    }
  }

  /** Once all has come that was missed, what has no answer has not been received. */
  sendAgain() {
    if (this.goal === null || this.counter.received < this.goal) return;
    this.goal = null;
    this.open.forEach(({ bytes }) => this.send(bytes));
  }

  // Messages

  /** Send bytes; what cannot be sent now is of no use later. */
  send(bytes) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes);
  }

  /** Send a control message that needs no answer. */
  tell(type, data) {
    if (this.ready) this.send(encodeControl({ type, data }));
  }

  /**
   * Send a control message, and send it again after a resume if it did not arrive. Resolves with the `data` of its
   * `ack`, rejects with a Refusal.
   */
  request(type, data) {
    const id = ++this.lastId;
    const bytes = encodeControl({ type, data, id });
    return new Promise((resolve, reject) => {
      this.open.set(id, { bytes, resolve, reject });
      if (this.ready && this.goal === null) this.send(bytes);
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
    this.counter.heard(type);
    if (type === "welcome") this.welcomed(data);
    else if (id === this.resumeId) this.resumeAnswered(type, data);
    else if (id !== undefined) this.answer(type, data, id);
    else this.notify(type, data);
    this.sendAgain();
  }

  notify(type, data) {
    if (type === "stopping") this.announcedDelay = data.reconnect_after_ms;
    this.handlers[type]?.(data);
  }

  answer(type, data, id) {
    const request = this.open.get(id);
    this.open.delete(id);
    if (type === "ack") request?.resolve(data);
    else request?.reject(new Refusal(data));
  }
}
