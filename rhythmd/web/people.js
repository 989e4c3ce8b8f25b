/** Who is in the room, and what they say. User text goes through `textContent` only. */

const PLAYING_MS = 400;
const MAX_LINES = 300;

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export class People {
  constructor(list, count) {
    this.list = list;
    this.count = count;
    this.users = new Map();
    this.rows = new Map();
    this.me = null;
  }

  reset(users, slot) {
    this.me = slot;
    this.users.clear();
    this.rows.clear();
    this.list.replaceChildren();
    users.forEach((user) => this.put(user));
  }

  put(user) {
    const row = this.rows.get(user.slot) ?? make("li", "person");
    row.style.setProperty("--player", user.colour);
    const name = make("span", "name", user.name);
    const parts = [make("span", "dot"), name];
    if (user.status_text) name.append(make("span", "status", user.status_text));
    if (user.slot === this.me) parts.push(make("span", "tag", "you"));
    if (user.notes_muted) parts.push(make("span", "tag", "muted"));
    row.replaceChildren(...parts);
    if (!this.rows.has(user.slot)) this.list.append(row);
    this.users.set(user.slot, user);
    this.rows.set(user.slot, row);
    this.count.textContent = this.users.size;
  }

  remove(slot) {
    this.rows.get(slot)?.remove();
    this.rows.delete(slot);
    this.users.delete(slot);
    this.count.textContent = this.users.size;
  }

  colour(slot) {
    return this.users.get(slot)?.colour ?? "#9aa4b2";
  }

  /** Show for a moment that somebody plays. */
  playing(slot) {
    const row = this.rows.get(slot);
    if (!row) return;
    row.classList.add("playing");
    clearTimeout(row.timer);
    row.timer = setTimeout(() => row.classList.remove("playing"), PLAYING_MS);
  }
}

export class Chat {
  constructor(list) {
    this.list = list;
  }

  clear() {
    this.list.replaceChildren();
  }

  /** A line as the server sends it. */
  add({ kind, content, name, colour }) {
    const line = make("li", `line ${kind}`);
    if (name) {
      const author = make("span", "author", name);
      author.style.setProperty("--player", colour);
      line.append(author, " ");
    }
    line.append(make("span", "content", content));
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.list.append(line);
    if (this.list.childElementCount > MAX_LINES) this.list.firstElementChild.remove();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  /** A line of this page's own. */
  note(content) {
    this.add({ kind: "system", content });
  }
}
