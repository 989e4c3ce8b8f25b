/** Who is in the room. User text goes through `textContent` only. */

const PLAYING_MS = 400;
const UNKNOWN_COLOUR = "#9aa4b2";

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export class People {
  constructor(list, count) {
    this.list = list;
    this.count = count;
    this.rows = new Map(); // by slot: the user, the list's element, the keys held
    this.me = null;
  }

  get slots() {
    return [...this.rows.keys()];
  }

  reset(users, slot) {
    this.me = slot;
    this.rows.clear();
    this.list.replaceChildren();
    this.count.textContent = 0;
    users.forEach((user) => this.put(user));
  }

  /** Show a user who is new or has changed. */
  put(user) {
    const row = this.rows.get(user.slot) ?? { element: make("li", "person"), keys: new Set() };
    row.user = user;
    row.element.style.setProperty("--player", user.colour);
    row.element.classList.toggle("away", user.reconnecting);
    row.element.replaceChildren(make("span", "dot"), this.name(user), ...this.tags(user));
    if (!this.rows.has(user.slot)) this.list.append(row.element);
    this.rows.set(user.slot, row);
    this.count.textContent = this.rows.size;
  }

  name({ name, status_text: status }) {
    const element = make("span", "name", name);
    if (status) element.append(make("span", "status", status));
    return element;
  }

  tags({ slot, notes_muted: muted, reconnecting }) {
    const texts = [slot === this.me && "you", muted && "muted", reconnecting && "reconnecting"].filter(Boolean);
    return texts.map((text) => make("span", "tag", text));
  }

  remove(slot) {
    this.rows.get(slot)?.element.remove();
    this.rows.delete(slot);
    this.count.textContent = this.rows.size;
  }

  colour(slot) {
    return this.rows.get(slot)?.user.colour ?? UNKNOWN_COLOUR;
  }

  press(slot, key) {
    const row = this.rows.get(slot);
    if (!row) return;
    row.keys.add(key);
    clearTimeout(row.timer);
    row.element.classList.add("playing");
  }

  /** A key is up; a player who holds none stops playing a moment later. */
  release(slot, key) {
    const row = this.rows.get(slot);
    if (!row?.keys.delete(key) || row.keys.size) return;
    row.timer = setTimeout(() => row.element.classList.remove("playing"), PLAYING_MS);
  }

  releaseAll() {
    this.rows.forEach(({ keys }, slot) => keys.forEach((key) => this.release(slot, key)));
  }
}
