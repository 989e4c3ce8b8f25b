/** The metronome as it is seen and set: a light for each beat of a bar, and the owner's tempo, metre and switch. */

export class Conductor {
  /**
   * @param form holds the elements of index.html
   * @param change called with the `data` of a `metronome` message when the owner wants it otherwise
   */
  constructor(form, change) {
    this.lights = form.querySelector(".beats");
    this.tempo = form.querySelector("output");
    this.controls = form.querySelector("fieldset");
    this.bpm = form.querySelector("input");
    this.metre = form.querySelector("select");
    this.button = form.querySelector("button");
    this.change = change;
    this.running = false;
    this.shown = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(!this.running);
    });
    this.controls.addEventListener("change", () => this.running && this.bpm.checkValidity() && this.ask(true));
  }

  ask(running) {
    const [beats, unit] = this.metre.value.split("/").map(Number);
    this.change(running ? { running, bpm: this.bpm.valueAsNumber, beats, unit } : { running });
  }

  /** Show a metronome as the server describes it, or that there is none. */
  show(score) {
    const text = JSON.stringify(score);
    if (text === this.shown) return; // so that nobody's typing is undone
    this.shown = text;
    this.running = score !== null;
    this.button.textContent = this.running ? "Stop" : "Start";
    this.button.setAttribute("aria-label", this.running ? "Stop the metronome" : "Start the metronome");
    this.tempo.textContent = this.running ? `${score.bpm} bpm, ${metreOf(score)}` : "";
    this.lights.replaceChildren(...Array.from({ length: score?.beats ?? 0 }, () => document.createElement("i")));
    if (this.running) this.set(score);
  }

  set(score) {
    this.bpm.value = score.bpm;
    const metre = metreOf(score);
    if (![...this.metre.options].some(({ value }) => value === metre)) this.metre.add(new Option(metre));
    this.metre.value = metre;
  }

  /** Light the beat at `place` of the bar, 0 first. */
  beat(place) {
    [...this.lights.children].forEach((light, index) => light.classList.toggle("lit", index === place));
  }

  /** Whether the user may set it. */
  allow(isOwner) {
    this.controls.hidden = !isOwner;
    this.tempo.hidden = isOwner;
  }
}

const metreOf = ({ beats, unit }) => `${beats}/${unit}`;
