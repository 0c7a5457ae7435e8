// deviations: levels, followed by the distance of each from its middle

NUMBERS.uint8 = Uint8Array; // the type of the middle

LAYERS.deviations = (_, arrays, where) => {
  const middle = arrays[`${where}.middle`];
  return (x) => {
    const found = new Float32Array(2 * x.length);
    found.set(x);
    found.set(
      x.map((value, index) => Math.abs(value - middle[index])),
      x.length,
    );
    return found;
  };
};
