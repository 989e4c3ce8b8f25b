/** After a lost connection: when to come back, and how to go on with the session. */

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
  4006: { name: "taken-over", reconnectAfter: null },
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

// They say how things are now, and are not sent again. The ack of a resume does not count either.
const UNCOUNTED = new Set(["welcome", "notes", "midi-event", "clock", "cursor"]);

/**
 * Counts what comes in a session, and carries the session over to the next socket. Tell it of every control message
 * in the order in which they come; `forget` before you come back and do not want to resume.
 *
 * `session` is the token of the session that this socket speaks for, `received` how many counted control messages of
 * it have come, `resume` what to send first of all on a socket that was just welcomed (null: nothing to go on with).
 */
export class SessionCounter {
  session = null;
  received = 0;
  resume = null;

  /** A new socket got its `welcome`, with this token. */
  welcomed(session) {
    // An earlier session that no answer has settled yet goes before the one that this socket replaces.
    if (this.resume === null && this.session !== null) {
      this.resume = { session: this.session, received: this.received };
    }
    this.session = session;
    this.received = 0;
  }

  /** A control message came. The ack of a resume may be told here too: `resumed` sets the count anew. */
  heard(type) {
    if (!UNCOUNTED.has(type)) this.received += 1;
  }

  /** The server answered the `resume`: this socket speaks for the earlier session. */
  resumed({ session, recovered }) {
    this.session = session;
    this.received = recovered ? (this.resume?.received ?? 0) : 0;
    this.resume = null;
  }

  /** An error answered the `resume`: what began with this socket's welcome goes on. */
  refused() {
    this.resume = null;
  }

  /** The session is over; the next socket starts afresh. */
  forget() {
    this.session = null;
    this.resume = null;
  }
}
