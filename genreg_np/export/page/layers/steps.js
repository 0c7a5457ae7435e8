// Additions for recurrent networks: the initial state, and the step to the next one.

/** Return the state before the first step: zeros for each recurrent layer. */
Network.prototype.start = function () {
  return this.layers.filter(({ kind }) => kind === "elman").map(({ outputs }) => new Float32Array(outputs));
};

/** Return the state after one more input, and the outputs; the given state is not changed. */
Network.prototype.step = function (state, input) {
  const states = [...state];
  const outputs = this.outputs(input, states);
  return [states, outputs];
};
