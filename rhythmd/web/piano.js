/** The keys on the screen: lit for whoever holds them, and played by pointer or computer keyboard. */

import { isMusic, takesText } from "./focus.js";

const LOWEST = 36;
const HIGHEST = 96;
const BLACK = new Set([1, 3, 6, 8, 10]);
const VELOCITY = 84;

// Two rows of the computer keyboard, by position: from C3 and from C4 upwards.
const LOWER_ROW = ["KeyZ", "KeyS", "KeyX", "KeyD", "KeyC", "KeyV", "KeyG", "KeyB", "KeyH", "KeyN", "KeyJ", "KeyM", "Comma", "KeyL", "Period"];
const UPPER_ROW = ["KeyQ", "Digit2", "KeyW", "Digit3", "KeyE", "KeyR", "Digit5", "KeyT", "Digit6", "KeyY", "Digit7", "KeyU", "KeyI", "Digit9", "KeyO", "Digit0", "KeyP"];
const KEY_OF_CODE = new Map([
  ...LOWER_ROW.map((code, index) => [code, 48 + index]),
  ...UPPER_ROW.map((code, index) => [code, 60 + index]),
]);
const PEDAL_CODE = "Space";
const PEDAL_DOWN = [0xb0, 64, 127];
const PEDAL_UP = [0xb0, 64, 0];
const MAIN_BUTTON = 0;

// While one of these is down, systems keep the ends of other keys to themselves: Meta on macOS, Alt+Tab elsewhere.
const SYSTEM_KEYS = new Set(["Meta", "Alt", "Control", "OS"]);

export const isBlack = (key) => BLACK.has(key % 12);

export class Piano {
  /**
   * @param element where the keys go
   * @param play called with the channel message [status, data 1, data 2] of each press and release by the user
   */
  constructor(element, play) {
    this.element = element;
    this.play = play;
    this.keys = new Map();
    this.lights = new Map();
    this.pressed = new Map();
    this.pedal = false;
    this.build();
    this.listenToPointer();
    this.listenToKeyboard();
    this.listenToFocus();
  }

  build() {
    for (let key = LOWEST; key <= HIGHEST; key += 1) {
      const element = document.createElement("div");
      element.className = isBlack(key) ? "key black" : "key white";
      element.dataset.key = key;
      this.element.append(element);
      this.keys.set(key, element);
    }
  }

  /** Where a key is across the keyboard, as fractions of its width; null when it is off the keyboard. */
  place(key) {
    const element = this.keys.get(key);
    if (!element) return null;
    const width = this.element.clientWidth;
    return { left: element.offsetLeft / width, width: element.offsetWidth / width };
  }

  /** Light `key` for a player until `unlight`; the latest of several players gives the colour. */
  light(slot, key, colour) {
    const players = this.lights.get(key) ?? new Map();
    players.delete(slot);
    this.lights.set(key, players.set(slot, colour));
    this.show(key);
  }

  unlight(slot, key) {
    this.lights.get(key)?.delete(slot);
    this.show(key);
  }

  unlightAll() {
    for (const [key, players] of this.lights) {
      players.clear();
      this.show(key);
    }
  }

  show(key) {
    const element = this.keys.get(key);
    const colour = [...(this.lights.get(key)?.values() ?? [])].at(-1);
    element?.classList.toggle("lit", colour !== undefined);
    if (colour !== undefined) element?.style.setProperty("--player", colour);
  }

  /** Press for one source (a pointer, a computer key), which holds one piano key at a time. */
  press(source, key, velocity) {
    this.release(source);
    this.pressed.set(source, key);
    this.play([0x90, key, velocity]);
  }

  release(source) {
    const key = this.pressed.get(source);
    if (key === undefined) return;
    this.pressed.delete(source);
    if (![...this.pressed.values()].includes(key)) this.play([0x80, key, 0]);
  }

  setPedal(down) {
    if (this.pedal === down) return;
    this.pedal = down;
    this.play(down ? PEDAL_DOWN : PEDAL_UP);
  }

  /** Let go of every key and of the pedal. */
  releaseAll() {
    [...this.pressed.keys()].forEach((source) => this.release(source));
    this.setPedal(false);
  }

  listenToPointer() {
    const keyUnder = ({ clientX, clientY }) => document.elementFromPoint(clientX, clientY)?.closest(".key");
    const touch = (event) => {
      const element = keyUnder(event);
      const key = element ? Number(element.dataset.key) : undefined;
      if (key === this.pressed.get(event.pointerId)) return;
      if (key === undefined) this.release(event.pointerId);
      else this.press(event.pointerId, key, velocityAt(element, event.clientY));
    };
    this.element.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      document.activeElement?.blur(); // who touches the keys has done with the chat
      if (event.button !== MAIN_BUTTON) return;
      if (event.target.hasPointerCapture(event.pointerId)) event.target.releasePointerCapture(event.pointerId);
      touch(event);
    });
    addEventListener("pointermove", (event) => {
      if (!this.pressed.has(event.pointerId)) return;
      if (event.buttons === 0) this.release(event.pointerId); // it was let go where nobody saw it
      else touch(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      addEventListener(end, ({ pointerId }) => this.release(pointerId));
    }
  }

  listenToKeyboard() {
    addEventListener("keydown", (event) => {
      if (SYSTEM_KEYS.has(event.key)) this.releaseAll();
      const key = KEY_OF_CODE.get(event.code);
      if (!isMusic(event) || (key === undefined && event.code !== PEDAL_CODE)) return;
      event.preventDefault();
      if (event.repeat) return;
      if (key === undefined) this.setPedal(true);
      else this.press(event.code, key, VELOCITY);
    });
    addEventListener("keyup", (event) => {
      if (event.code !== PEDAL_CODE) {
        this.release(event.code);
        return;
      }
      if (isMusic(event)) event.preventDefault(); // Firefox presses a button when Space is let go
      this.setPedal(false);
    });
  }

  /** Nothing that is pressed outlives the focus: whoever has it gets the end of the press, and this page does not. */
  listenToFocus() {
    const release = () => this.releaseAll();
    for (const end of ["blur", "pagehide", "contextmenu", "dragstart", "compositionstart"]) addEventListener(end, release);
    for (const end of ["visibilitychange", "freeze"]) document.addEventListener(end, release);
    document.addEventListener("focusin", ({ target }) => takesText(target) && release());
  }
}

/** The nearer to the front edge a key is touched, the louder. */
function velocityAt(element, y) {
  const { top, height } = element.getBoundingClientRect();
  return Math.round(45 + 70 * Math.min(1, Math.max(0, (y - top) / height)));
}
