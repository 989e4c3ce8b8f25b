/**
 * Measures what the page sends to the loudspeakers: the root element's data-sound is "on", "off" or "suspended", and
 * `starts` lists each tone with its frequency and when it begins, in Unix milliseconds.
 */

const LOUD = 0.005;
const SILENT = 0.0005;
const { connect } = AudioNode.prototype;
const { start } = AudioScheduledSourceNode.prototype;
const clocks = new Map();

window.starts = [];

function loudness(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

function watch(analyser) {
  setInterval(() => {
    const level = loudness(analyser);
    const { dataset } = document.documentElement;
    if (analyser.context.state !== "running") dataset.sound = analyser.context.state;
    else if (level > LOUD) dataset.sound = "on";
    else if (level < SILENT) dataset.sound = "off";
  }, 20);
}

AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    const analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    connect.call(this, analyser);
    watch(analyser);
  }
  return connect.call(this, target, ...rest);
};

/** The Unix time, in ms, of a time of the context: the two clocks are compared when the context has just moved on. */
function unixTime(context, seconds) {
  const ahead = performance.timeOrigin + performance.now() - context.currentTime * 1000;
  clocks.set(context, Math.min(ahead, clocks.get(context) ?? Infinity));
  return seconds * 1000 + clocks.get(context);
}

setInterval(() => clocks.forEach((_, context) => unixTime(context, 0)), 10);

AudioScheduledSourceNode.prototype.start = function (when) {
  window.starts.push({ frequency: this.frequency.value, time: unixTime(this.context, when) });
  start.call(this, when);
};
