/** Recording as it is seen and set: the sign for everybody, the owner's button, and that for the last minutes. */

export class Recorder {
  /**
   * @param sign where everybody sees that recording is on
   * @param panel holds the buttons of index.html
   * @param ask called with the type and the `data` of what the user wants
   */
  constructor(sign, panel, ask) {
    this.sign = sign;
    this.record = panel.querySelector("#record");
    this.last = panel.querySelector("#record-last");
    this.replay = panel.querySelector("#replay");
    this.on = false;
    this.record.addEventListener("click", () => ask("record", { on: !this.on }));
    this.last.addEventListener("click", () => ask("record-last", {}));
    this.replay.addEventListener("change", () =>
      ask("room-update", { settings: { allow_replay: this.replay.checked } }));
  }

  /** Show whether the room is being recorded. */
  show(on) {
    this.on = on;
    this.sign.textContent = on ? "recording" : "";
    this.record.textContent = on ? "Stop recording" : "Record";
    this.record.setAttribute("aria-pressed", on);
  }

  /** Offer what this user may do here. */
  allow(isOwner, isReplayAllowed) {
    this.record.hidden = this.replay.parentElement.hidden = !isOwner;
    this.replay.checked = isReplayAllowed;
    this.last.hidden = !isReplayAllowed;
  }
}

/** What is to be said of a finished recording, and the link to it. */
export function describe({ name, duration_ms: duration, players, url }) {
  const seconds = Math.round(duration / 1000);
  const length = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const content = `The recording “${name}” is ready: ${length}, ${players} ${players === 1 ? "player" : "players"}.`;
  return [content, { href: here(url), text: "Download" }];
}

/** A path of the server's API as it is reached from this page, which may be anywhere below its host. */
function here(path) {
  return new URL(path.replace(/^.*?\/(?=api\/v1\/)/, ""), document.baseURI).href;
}
