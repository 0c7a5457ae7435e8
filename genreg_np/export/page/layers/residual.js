// residual: x + f(x) with a stack of layers f

LAYERS.residual = ({ layers }, arrays, where) => {
  const inner = stack(layers, arrays, where);
  return (x) => {
    const added = inner(x);
    return x.map((value, at) => value + added[at]);
  };
};
