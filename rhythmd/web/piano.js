/** The keys on the screen: lit for whoever holds them, and played by pointer or computer keyboard. */

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
    this.build();
    this.listenToPointer();
    this.listenToKeyboard();
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

  releaseAll() {
    [...this.pressed.keys()].forEach((source) => this.release(source));
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
      event.target.releasePointerCapture?.(event.pointerId);
      touch(event);
    });
    addEventListener("pointermove", (event) => this.pressed.has(event.pointerId) && touch(event));
    for (const end of ["pointerup", "pointercancel"]) {
      addEventListener(end, ({ pointerId }) => this.release(pointerId));
    }
  }

  listenToKeyboard() {
    const isMusic = ({ target, ctrlKey, metaKey, altKey }) =>
      !(ctrlKey || metaKey || altKey) && !target.closest?.("input, select, button, a");
    addEventListener("keydown", (event) => {
      const key = KEY_OF_CODE.get(event.code);
      if (!isMusic(event) || (key === undefined && event.code !== PEDAL_CODE)) return;
      event.preventDefault();
      if (event.repeat) return;
      if (key === undefined) this.play([0xb0, 64, 127]);
      else this.press(event.code, key, VELOCITY);
    });
    addEventListener("keyup", (event) => {
      if (KEY_OF_CODE.has(event.code)) this.release(event.code);
      else if (event.code === PEDAL_CODE && isMusic(event)) this.play([0xb0, 64, 0]);
    });
    addEventListener("blur", () => this.releaseAll());
  }
}

/** The nearer to the front edge a key is touched, the louder. */
function velocityAt(element, y) {
  const { top, height } = element.getBoundingClientRect();
  return Math.round(45 + 70 * Math.min(1, Math.max(0, (y - top) / height)));
}
