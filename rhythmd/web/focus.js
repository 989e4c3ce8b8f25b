/**
 * Who gets the computer keyboard. It plays, except in a text field, and on a control that was reached by the keyboard:
 * there Space does what it does on every page. Once a control has been used, the keyboard plays again.
 */

const CONTROLS = "button, a[href], summary, select, input, textarea, [contenteditable]";
const TEXTLESS = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);
const PEDAL_CODE = "Space";

let isByPointer = false; // whether the user's last deed was by mouse or touch
let wasReachedByPointer = false; // and that which gave the focus where it is

/** Whether an element is for writing, with all keys. */
export function takesText(element) {
  if (element.isContentEditable || element.localName === "textarea") return true;
  return element.localName === "input" && !TEXTLESS.has(element.type);
}

/** Whether a key that was pressed is meant for the piano. */
export function isMusic({ target, code, ctrlKey, metaKey, altKey, isComposing }) {
  if (ctrlKey || metaKey || altKey || isComposing || takesText(target)) return false;
  if (wasReachedByPointer || !target.matches?.(CONTROLS)) return true;
  return code !== PEDAL_CODE && target.localName !== "select";
}

/** Give the keyboard back to the piano. */
function letPlay() {
  if (document.activeElement !== document.body) document.activeElement?.blur();
}

/** A checkbox has no Enter of its own. */
function enter(event) {
  if (event.target.type !== "checkbox" || event.repeat) return;
  event.preventDefault();
  event.target.click();
}

/** Watch the page; once. */
export function followFocus() {
  addEventListener("pointerdown", () => (isByPointer = true), true);
  addEventListener("keydown", (event) => {
    isByPointer = false;
    if (event.key === "Escape") letPlay();
    if (event.key === "Enter") enter(event);
  }, true);
  addEventListener("focusin", () => (wasReachedByPointer = isByPointer));
  addEventListener("click", ({ target }) => {
    const control = target.closest?.(`${CONTROLS}, label`);
    const field = control?.control ?? control;
    if (field && field.localName !== "select" && !takesText(field)) letPlay();
  });
  // A list or a slider is used when it has changed. By the keyboard it changes with each step on the way.
  addEventListener("change", () => isByPointer && letPlay());
}
