// What a network that remembers has besides: a state before the first input, and what one more step makes of it.

/** Return the state before a first step: zeros for each layer that remembers. */
Network.prototype.start = function () {
  return this.layers.filter(({ kind }) => kind === "elman").map(({ outputs }) => new Float32Array(outputs));
};

/** Return the state after one more input, and the outputs; the state that is given stays as it is. */
Network.prototype.step = function (state, input) {
  const states = [...state];
  const outputs = this.outputs(input, states);
  return [states, outputs];
};
