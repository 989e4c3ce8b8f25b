/** Notes that rise from the keys in their player's colour. */

const SPEED = 90; // pixels a second
const REST_MS = 250; // between the last trail's end and the last frame

export class Trails {
  /** @param place gives a key's `{left, width}` as fractions of the canvas' width */
  constructor(canvas, place) {
    this.canvas = canvas;
    this.drawing = canvas.getContext("2d");
    this.place = place;
    this.notes = [];
    this.frame = null;
  }

  begin(slot, key, colour) {
    this.notes.push({ slot, key, colour, from: performance.now(), to: null });
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  end(slot, key) {
    const note = this.notes.findLast((note) => note.slot === slot && note.key === key && note.to === null);
    if (note) note.to = performance.now();
  }

  endAll() {
    for (const note of this.notes) note.to ??= performance.now();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    const scale = devicePixelRatio;
    if (this.canvas.width === clientWidth * scale && this.canvas.height === clientHeight * scale) return;
    this.canvas.width = clientWidth * scale;
    this.canvas.height = clientHeight * scale;
    this.drawing.scale(scale, scale);
  }

  draw() {
    this.resize();
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const now = performance.now();
    this.drawing.clearRect(0, 0, width, height);
    this.notes = this.notes.filter(({ to }) => to === null || ((now - to) / 1000) * SPEED < height + REST_MS);
    for (const note of this.notes) this.drawNote(note, now, width, height);
    this.drawing.globalAlpha = 1;
    this.frame = this.notes.length ? requestAnimationFrame(() => this.draw()) : null;
  }

  drawNote({ key, colour, from, to }, now, width, height) {
    const place = this.place(key);
    if (!place) return;
    const top = height - ((now - from) / 1000) * SPEED;
    const bottom = to === null ? height + 4 : height - ((now - to) / 1000) * SPEED;
    this.drawing.globalAlpha = 0.85 * Math.max(0, Math.min(1, bottom / height));
    this.drawing.fillStyle = colour;
    this.drawing.beginPath();
    this.drawing.roundRect(place.left * width + 2, top, place.width * width - 4, Math.max(6, bottom - top), 4);
    this.drawing.fill();
  }
}
