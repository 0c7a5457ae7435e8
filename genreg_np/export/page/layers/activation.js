// activation: a function of each value

LAYERS.activation =
  ({ function: name }) =>
  (x) =>
    x.map(ACTIVATIONS[name]);
