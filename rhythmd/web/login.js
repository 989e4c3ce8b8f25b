/**
 * The login of this browser, which is in cookies that no script can read. It is renewed before it ends; when that is
 * refused, its user goes on as a guest. All tabs have one login, and a refresh token is good once: only one may use it.
 */

const NOTE = "rhythm-login"; // in `localStorage`: until when the login is good, Unix ms; there is none for a guest
const LOCK = "rhythm-login";
const AHEAD_MS = 120_000; // before the end, at most
const AGAIN_MS = 10_000;

export class Login {
  /**
   * @param authenticate called with a ticket when the login was renewed; a promise of the ack's `data`
   * @param ended called with what to tell the user when the login is over and cannot be renewed
   */
  constructor(authenticate, ended) {
    this.authenticate = authenticate;
    this.ended = ended;
    this.timer = null;
  }

  /** A socket was opened; `seconds` is for how long its login is good, null for one without. */
  begin(seconds) {
    clearTimeout(this.timer);
    if (seconds === null || seconds === undefined) return;
    note(read() ?? Date.now() + seconds * 1000);
    this.renewWithin(seconds * 1000);
  }

  /** Not all tabs at once: where there are no locks, this is what keeps them apart. */
  renewWithin(leftMs) {
    const ahead = Math.min(AHEAD_MS, leftMs / 2) * (1 - Math.random() / 2);
    this.timer = setTimeout(() => this.renewNow(), leftMs - ahead);
  }

  async renewNow() {
    const outcome = await this.renew();
    if (outcome === "failed") this.timer = setTimeout(() => this.renewNow(), AGAIN_MS);
    if (outcome !== "renewed") return;
    try {
      const { ticket } = await (await post("ticket")).json();
      const { login_s: seconds } = await this.authenticate(ticket);
      this.renewWithin(seconds * 1000);
    } catch {
      // The server closes the socket when its login ends, and the next one has the new login.
    }
  }

  /** Renew what is left of a login, when this welcome shows that it is no longer good; null when there is nothing. */
  lapsed({ login_s: seconds = null, login_error: error = null }) {
    if (error === null && (seconds !== null || read() === null)) return null;
    return this.renew().then((outcome) => {
      if (outcome === "refused") this.end("Your login has ended. You go on as a guest.");
      return outcome === "renewed";
    });
  }

  /**
   * The server opens no socket: it may be that the account was banned, and only without its login goes on; or that no
   * guest may come in either. A promise of whether this browser is kept out.
   */
  async turnedAway() {
    const hadLogin = read() !== null;
    if (hadLogin) {
      const answer = await fetch(new URL("api/v1/auth/sessions", document.baseURI)).catch(() => null);
      if (answer?.status !== 403) return false;
      await post("logout").catch(() => null);
      note(null);
    }
    const guest = await post("guest").catch(() => null);
    if (guest?.status === 403) return true;
    if (hadLogin) this.end("This account is banned. You go on as a guest.");
    return false;
  }

  end(text) {
    note(null);
    this.ended(text);
  }

  /** "renewed", by this tab or another; "refused"; or "failed", when nobody knows. */
  renew() {
    const before = read();
    return exclusively(async () => {
      if (read() !== before && read() > Date.now()) return "renewed";
      const answer = await post("refresh").catch(() => null);
      if (answer?.ok) note((await answer.json()).access_expires);
      if (answer?.ok) return "renewed";
      return answer?.status === 401 || answer?.status === 403 ? "refused" : "failed";
    });
  }
}

const exclusively = (action) => (navigator.locks ? navigator.locks.request(LOCK, action) : action());

function post(what) {
  const headers = { "Content-Type": "application/json" };
  return fetch(new URL(`api/v1/auth/${what}`, document.baseURI), { method: "POST", headers, body: "{}" });
}

function read() {
  try {
    const value = localStorage.getItem(NOTE);
    return value === null ? null : Number(value);
  } catch {
    return null; // the browser keeps nothing
  }
}

function note(value) {
  try {
    if (value === null) localStorage.removeItem(NOTE);
    else localStorage.setItem(NOTE, value);
  } catch {
    // The browser keeps nothing.
  }
}
