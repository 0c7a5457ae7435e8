// residual: x + what a stack of layers gives of it

LAYERS.residual = ({ layers }, arrays, where) => {
  const inner = stack(layers, arrays, where);
  return (x) => {
    const added = inner(x);
    return x.map((value, at) => value + added[at]);
  };
};
