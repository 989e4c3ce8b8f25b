/** What the members of the room say. User text goes through `textContent` only. */

import { make } from "./people.js";

const MAX_LINES = 300;

export class Chat {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.lines = [];
  }

  /** The newest line's id; they grow. */
  get lastId() {
    return this.lines.at(-1)?.id ?? 0;
  }

  /** Whether the room has had this line of this user since the one with the id `after`. */
  has(userId, content, after) {
    return this.lines.some((line) => line.id > after && line.user_id === userId && line.content === content);
  }

  /** Show a line as the server sends it. */
  add({ kind, content, name, colour, ...line }) {
    const element = make("li", `line ${kind}`);
    if (name) {
      const author = make("span", "author", name);
      author.style.setProperty("--player", colour);
      element.append(author, " ");
    }
    element.append(make("span", "content", content));
    this.append(element);
    if (line.id > 0) this.lines = [...this.lines.slice(1 - MAX_LINES), { ...line, content }];
  }

  /** Show a line of this page's own, and a link after it if there is one. */
  note(content, link = null) {
    const element = make("li", "line system");
    element.append(make("span", "content", content));
    if (link !== null) {
      const anchor = make("a", "link", link.text);
      element.append(" ", Object.assign(anchor, { href: link.href, download: "" }));
    }
    this.append(element);
  }

  append(element) {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.list.append(element);
    if (this.list.childElementCount > MAX_LINES) this.list.firstElementChild.remove();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
