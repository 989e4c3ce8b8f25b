/** The room that a link names, after the `#`. */

export const LOBBY = "lobby";
const LONGEST = 50; // characters of a room's name

/** {name, odd}: the room to join, and, when the link names none that there can be, what to say about it. */
export function roomOf(hash) {
  const name = decoded(hash.replace(/^#/, ""))?.trim();
  if (name === undefined) return { name: LOBBY, odd: "This link is broken: it names no room." };
  if (/\p{Cc}/u.test(name)) return { name: LOBBY, odd: "This link is broken: no room has such a name." };
  if ([...name].length > LONGEST) return { name: LOBBY, odd: "This link is broken: no room has so long a name." };
  return { name: name === "" || name.toLowerCase() === LOBBY ? LOBBY : name, odd: null };
}

/** Where a room is, from the address of this page. */
export function linkTo({ name, settings }) {
  return settings.type === LOBBY ? "" : `#${encodeURIComponent(name)}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // half an escape, or one that is not UTF-8
  }
}
