/**
 * The seat of this tab over a reload. It is stored only while the page is gone: a tab that is duplicated copies its
 * `sessionStorage`, and must not take the seat from under the one that goes on playing.
 */

const KEY = "rhythm-seat";

/** Take what an earlier page of this tab left, {session, link}; null when there is nothing. */
export function takeSeat() {
  try {
    const seat = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return typeof seat?.session === "string" ? seat : null;
  } catch {
    return null; // the browser keeps nothing, or what it kept is not ours
  }
}

/** Leave a seat for the next page of this tab. `session` is null when there is none. */
export function leaveSeat(session, link) {
  try {
    if (session !== null) sessionStorage.setItem(KEY, JSON.stringify({ session, link }));
  } catch {
    // The browser keeps nothing: the next page begins anew.
  }
}
