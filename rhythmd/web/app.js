/** The first page: joins a room, shows who is there, and makes what they play sound. */

import { Chat, People } from "./people.js";
import { Connection } from "./connection.js";
import { Piano } from "./piano.js";
import { ServerClock } from "./clock.js";
import { Synth } from "./synth.js";
import { Trails } from "./trails.js";
import { encodeClockRequest, encodeMidi } from "./rhythm-protocol.js";

const LOBBY = "lobby";
const PLAYOUT_MS = 80; // covers the way here, so that the rhythm is the player's and not the network's

const $ = (id) => document.getElementById(id);
const people = new People($("people"), $("count"));
const chat = new Chat($("lines"));
const synth = new Synth();
const piano = new Piano($("piano"), playMyself);
const trails = new Trails($("trails"), (key) => piano.place(key));
const clock = new ServerClock((value) => connection.send(encodeClockRequest(value)));
let mySlot = null;
let visit = 0; // counts rooms left, so that what was still to be shown there is not

const address = new URL("/ws", location.href);
address.protocol = address.protocol.replace("http", "ws");
const connection = new Connection(address, {
  state: showState,
  lost: () => {
    clock.stop();
    leave();
  },
  midi: (blocks) => blocks.forEach(playBlock),
  clock: (reply) => clock.answer(reply),
  welcome: (data) => {
    clock.start(data.server_time);
    join(wantedRoom());
  },
  error: ({ message }) => chat.note(message),
  "user-joined": ({ user }) => people.put(user),
  "user-updated": ({ user }) => people.put(user),
  "user-left": ({ slot }) => {
    silence(slot);
    people.remove(slot);
  },
  "room-updated": ({ room }) => showRoom(room),
  "room-left": ({ reason, message }) => {
    leave();
    showNotice(`You were ${reason}${message ? `: ${message}` : ""}`);
  },
  "chat-message": (line) => chat.add(line),
  "chat-cleared": () => chat.clear(),
});

// Rooms

function wantedRoom() {
  return decodeURIComponent(location.hash.slice(1)).trim() || LOBBY;
}

async function join(room, password = null) {
  try {
    enter(await connection.request("join-room", { room, password, create: room !== LOBBY }));
  } catch (refusal) {
    refused(room, refusal);
  }
}

function refused(room, { code, message }) {
  const password = code === "wrong-password" ? prompt(`Password of ${room}`) : null;
  if (password) join(room, password);
  else if (code !== "lost" && code !== "already-in-room") showNotice(`${room}: ${message}`);
}

function enter({ slot, room, members, notes, chat: history }) {
  leave();
  mySlot = slot;
  showRoom(room);
  showNotice("");
  people.reset(members, slot);
  chat.clear();
  history.forEach((line) => chat.add(line));
  for (const { slot: player, state } of notes) for (const message of state) sound(player, message, 0);
}

/** Forget the room; whatever sounded in it ends. */
function leave() {
  piano.releaseAll();
  people.slots.forEach(silence);
  people.reset([], null);
  mySlot = null;
  visit += 1;
}

// Music

function playBlock({ slot, baseMs, events }) {
  const wait = clock.until(baseMs) + PLAYOUT_MS;
  for (const [offset, ...message] of events) sound(slot, message, wait + offset);
}

function playMyself(message) {
  if (!synth.running) synth.start();
  if (mySlot === null) return;
  sound(mySlot, message, 0);
  connection.send(encodeMidi(Math.floor(clock.now()), [[0, ...message]]));
}

/** Let a channel message be heard and seen `inMs` from now. */
function sound(slot, message, inMs) {
  const here = visit;
  synth.play(slot, message, inMs);
  if (inMs > 0) setTimeout(() => here === visit && show(slot, message), inMs);
  else show(slot, message);
}

function show(slot, [status, key, velocity]) {
  const kind = status & 0xf0;
  if (kind === 0x90 && velocity > 0) {
    piano.light(slot, key, people.colour(slot));
    trails.begin(slot, key, people.colour(slot));
    people.press(slot, key);
  } else if (kind === 0x80 || kind === 0x90) {
    piano.unlight(slot, key);
    trails.end(slot, key);
    people.release(slot, key);
  }
}

function silence(slot) {
  synth.release(slot);
  piano.unlightAll(slot);
  trails.endAll(slot);
  people.releaseAll(slot);
}

// What is shown around it

function showRoom({ name }) {
  $("room").textContent = name;
  document.title = `${name} · rhythm`;
}

function showState(text, kind) {
  $("state").textContent = text;
  $("state").dataset.kind = kind;
  $("again").hidden = kind !== "off";
}

function showNotice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function showListen() {
  $("listen").hidden = synth.running;
}

async function say(event) {
  event.preventDefault();
  const input = $("say");
  const content = input.value.trim();
  if (!content) return;
  input.value = "";
  try {
    await connection.request("chat-message", { content });
  } catch (refusal) {
    chat.note(refusal.message);
  }
}

$("form").addEventListener("submit", say);
$("listen").addEventListener("click", () => synth.start());
$("again").addEventListener("click", () => connection.connect());
synth.context.addEventListener("statechange", showListen);
addEventListener("hashchange", () => join(wantedRoom()));
showListen();
connection.connect();
