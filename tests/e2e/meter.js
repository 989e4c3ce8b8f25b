/** Measures what the page sends to the loudspeakers: the root element's data-sound is "on", "off" or "suspended". */

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
