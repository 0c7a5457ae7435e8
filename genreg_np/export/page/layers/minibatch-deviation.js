// minibatch-deviation: the maps plus a channel of zeros

LAYERS["minibatch-deviation"] =
  ({ shape }) =>
  (x) => {
    const found = new Float32Array(x.length + areaOf(shape));
    found.set(x);
    return found;
  };
