/** The first page: joins a room, shows who is there, and makes what they play sound. */

import { Agenda } from "./agenda.js";
import { Chat } from "./chat.js";
import { Clicks } from "./clicks.js";
import { Conductor } from "./conductor.js";
import { Connection } from "./connection.js";
import { Login } from "./login.js";
import { Metronome } from "./metronome.js";
import { Music } from "./music.js";
import { People } from "./people.js";
import { Piano } from "./piano.js";
import { Playout } from "./playout.js";
import { Recorder, describe } from "./recorder.js";
import { ServerClock } from "./clock.js";
import { Synth } from "./synth.js";
import { Trails } from "./trails.js";
import { LOBBY, linkTo, roomOf } from "./links.js";
import { encodeClockRequest, encodeMidi } from "./rhythm-protocol.js";
import { followFocus } from "./focus.js";
import { leaveSeat, takeSeat } from "./seat.js";

const COMMAND = "/";
const SILENT_REFUSALS = new Set(["lost", "answer-lost", "already-in-room"]); // of a join
// After these the same room may be had later, or by another word. After all others the lobby is the way on.
const PASSING_REFUSALS = new Set(["wrong-password", "room-full", "unavailable", "rate-limited", "stopping"]);
const REMOVALS = { replaced: "You have joined this room elsewhere", deleted: "This room was deleted" };
const REPORT_EVERY_MS = 2000;
const BRIEFLY_MS = 4000;
const LONG_ENOUGH_MS = 10_000; // to read a sentence

const $ = (id) => document.getElementById(id);
const people = new People($("people"), $("count"));
const chat = new Chat($("lines"));
const synth = new Synth();
const piano = new Piano($("piano"), playMyself);
const trails = new Trails($("trails"), (key) => piano.place(key));
const music = new Music({ synth, piano, trails, people });
const clock = new ServerClock((value) => connection.send(encodeClockRequest(value)), () => connection.abandon());
const playout = new Playout(clock, (slot, message, dueMs) => music.play(slot, message, dueMs));
const clicks = new Clicks(synth);
const beats = new Agenda();
const metronome = new Metronome(clock, beat, cancelBeats);
const conductor = new Conductor($("metronome"), (data) => ask("metronome", data));
const login = new Login((ticket) => connection.request("authenticate", { ticket }), (text) => (farewell = text));
const recorder = new Recorder($("recording"), $("recorder"), ask);

let me = null; // our user
let mySlot = null;
let room = null; // as the server describes it
let resumeSeconds = null;
let farewell = null; // to a login, to be told in the next room
let seat = takeSeat(); // that of this tab before the page was loaded again

const address = new URL("ws", document.baseURI); // the server may be anywhere below its host
address.protocol = address.protocol.replace("http", "ws");
const connection = new Connection(address, {
  state: showState,
  lost,
  midi: (blocks) => playout.receive(blocks),
  clock: (reply) => clock.answer(reply),
  welcome: (data) => {
    resumeSeconds = data.limits.resume_s;
    clock.start(data.server_time);
    login.begin(data.login_s);
  },
  lapsed: (data) => login.lapsed(data),
  turnedAway: () => login.turnedAway(),
  begin,
  resumed,
  error: ({ message }) => chat.note(message),
  notes: ({ notes }) => playout.replace(notes),
  playout: ({ delay_ms: delay }) => showRoom({ ...room, playout_ms: delay }),
  metronome: ({ metronome: score }) => showRoom({ ...room, metronome: score }),
  recording: ({ on }) => showRoom({ ...room, recording: on }),
  "recording-ready": ({ recording }) => chat.note(...describe(recording)),
  "user-joined": ({ user }) => people.put(user),
  "user-updated": ({ user }) => people.put(user),
  "user-left": ({ slot }) => {
    playout.release(slot);
    music.forget(slot);
    people.remove(slot);
  },
  "room-updated": ({ room: info }) => showRoom(info),
  "room-left": ({ reason, message }) => {
    leave();
    showNotice(`${REMOVALS[reason] ?? `You were ${reason}`}${message ? `: ${message}` : ""}`);
  },
  "chat-message": (line) => chat.add(line),
  "chat-cleared": () => chat.clear(),
});

// The session

/** While the seat is kept all that is shown stays, but nothing goes on sounding. */
function lost(returns) {
  clock.stop();
  if (returns) hush();
  else leave();
  if (mySlot !== null) showNotice(`Connection lost. Your seat is kept for ${resumeSeconds} s.`);
}

function begin({ user }) {
  if (mySlot !== null) showBriefly("connected: joined anew");
  me = user;
  seat = null;
  leave();
  return joinWanted().then(sayFarewell);
}

function sayFarewell() {
  if (farewell !== null) explain(farewell);
  farewell = null;
}

async function resumed({ user, recovered, join: ack }) {
  me = user;
  showNotice("");
  if (!recovered && ack !== null) enter(ack);
  const isElsewhere = seat !== null && seat.link !== location.hash; // the tab was sent to another room
  seat = null;
  if (isElsewhere || (!recovered && ack === null)) await joinWanted();
  sayFarewell();
  showBriefly("connected: back in your seat");
}

// Rooms

/** Join the room of the link. Who is in a room stays there when the link names none. */
async function joinWanted() {
  const { name, odd } = roomOf(location.hash);
  if (odd === null || room === null) await join(name);
  if (odd === null) return;
  showLink();
  explain(odd);
}

async function join(name, password = null) {
  try {
    enter(await connection.request("join-room", { room: name, password, create: name !== LOBBY }));
  } catch (refusal) {
    await refused(name, refusal);
  }
}

async function refused(name, { code, message }) {
  if (SILENT_REFUSALS.has(code)) return;
  const password = code === "wrong-password" ? askPassword(name) : null;
  if (password) {
    await join(name, password);
    return;
  }
  const isCurrent = roomOf(location.hash).name === name; // or the user has gone on to another link
  if (room === null && name !== LOBBY && !PASSING_REFUSALS.has(code)) await join(LOBBY);
  if (!isCurrent) return;
  showLink();
  explain(`${name}: ${message}`);
}

function askPassword(name) {
  piano.releaseAll(); // whoever opens a dialog gets the ends of the keys
  return prompt(`Password of ${name}`);
}

/** Say why things are not as the user wanted them. Who is in a room is not told for ever. */
function explain(text) {
  showNotice(text);
  if (room !== null) setTimeout(() => $("notice").textContent === text && showNotice(""), LONG_ENOUGH_MS);
}

/** Let the page's address name the room that the user is in. */
function showLink() {
  if (room === null) return;
  const { pathname, search } = location;
  history.replaceState(null, "", pathname + search + linkTo(room));
}

function toLobby() {
  history.replaceState(null, "", location.pathname + location.search);
  return join(LOBBY);
}

function enter({ slot, room: info, members, notes, chat: history }) {
  leave();
  mySlot = slot;
  showRoom(info);
  showNotice("");
  people.reset(members, slot);
  chat.clear();
  history.forEach((line) => chat.add(line));
  playout.replace(notes);
}

/** Forget the room; whatever sounded in it ends. */
function leave() {
  hush();
  metronome.follow(null);
  recorder.show(false);
  showSheet(null);
  people.reset([], null);
  $("bar").hidden = true;
  room = mySlot = null;
}

// Music

function playMyself(message) {
  if (!synth.running) synth.start();
  if (mySlot === null) return;
  music.play(mySlot, message, performance.now());
  if (connection.ready) connection.send(encodeMidi(Math.floor(clock.now()), [[0, ...message]]));
}

/** End all that sounds, ours and the others'. */
function hush() {
  piano.releaseAll();
  playout.clear();
  music.hush();
}

function beat(dueMs, place) {
  clicks.at(dueMs, place === 0);
  beats.at(dueMs, () => conductor.beat(place));
}

function cancelBeats() {
  clicks.cancel();
  beats.clear();
}

/** Tell how late the notes come in, so that the room's delay can cover it. */
function reportTiming() {
  const late = playout.lateness();
  if (late !== null) connection.tell("timing", { late_ms: late });
}

// What is shown around it

function showRoom(info) {
  const isOwner = me !== null && info.owner === me.id;
  room = info;
  playout.delayMs = info.playout_ms;
  metronome.follow(info.metronome);
  conductor.show(info.metronome);
  conductor.allow(isOwner);
  recorder.show(info.recording);
  showSheet(info.sheet);
  recorder.allow(isOwner, info.settings.allow_replay);
  $("bar").hidden = false;
  $("delay").textContent = `${info.playout_ms} ms`;
  $("room").textContent = info.name;
  document.title = `${info.name} · rhythm`;
}

function showSheet(sheet) {
  playout.follow(sheet?.slot ?? null);
  $("sheet").textContent = sheet ? `♪ ${[sheet.title, sheet.artist].filter(Boolean).join(", ")}` : "";
}

function showState(text, kind) {
  $("state").textContent = text;
  document.body.dataset.connection = kind;
  $("again").hidden = kind !== "off";
}

function showBriefly(text) {
  showState(text, "on");
  setTimeout(() => $("state").textContent === text && showState("connected", "on"), BRIEFLY_MS);
}

/** Say something, or with "" nothing more. Who is in no room is told the ways on. */
function showNotice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
  $("ways").hidden = !text || room !== null || !connection.ready;
}

function showListen() {
  $("listen").hidden = synth.running;
}

/** Ask for something that the server may refuse. */
async function ask(type, data) {
  try {
    await connection.request(type, data);
  } catch ({ code, message }) {
    if (code !== "answer-lost") chat.note(message);
    if (room !== null) showRoom(room);
  }
}

// What the user does

async function say(event) {
  event.preventDefault();
  const content = $("say").value.trim();
  if (!content) return;
  $("say").value = "";
  await deliver(content);
}

/** Send a line. When the session ended meanwhile, the room's history tells whether it had arrived. */
async function deliver(content) {
  const [author, after] = [me?.id, chat.lastId];
  try {
    await connection.request("chat-message", { content });
  } catch ({ code, message }) {
    if (code === "answer-lost") return;
    if (code !== "lost" || content.startsWith(COMMAND)) chat.note(message);
    else if (!chat.has(author, content, after)) await deliver(content);
  }
}

$("form").addEventListener("submit", say);
$("listen").addEventListener("click", () => synth.start());
$("again").addEventListener("click", () => connection.connect());
synth.context.addEventListener("statechange", showListen);
$("lobby").addEventListener("click", toLobby);
$("retry").addEventListener("click", joinWanted);
addEventListener("hashchange", joinWanted);
addEventListener("online", () => connection.hurry());
addEventListener("pagehide", () => leaveSeat(connection.session, location.hash));
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  takeSeat(); // this page has it still
  connection.awake();
});
setInterval(reportTiming, REPORT_EVERY_MS);
followFocus();
showListen();
if (seat !== null) connection.goOnWith(seat.session);
connection.connect();
