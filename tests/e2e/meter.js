/** Measures what the page sends to the loudspeakers, and says so on the root element: data-sound is "on" or "off". */

const LOUD = 0.005;
const SILENT = 0.0005;
const connect = AudioNode.prototype.connect;

function loudness(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

function watch(analyser) {
  setInterval(() => {
    const level = loudness(analyser);
    if (level > LOUD) document.documentElement.dataset.sound = "on";
    else if (level < SILENT) document.documentElement.dataset.sound = "off";
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
