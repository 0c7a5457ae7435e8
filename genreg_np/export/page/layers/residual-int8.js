// residual-int8: floor((m q + k f(q) + half) / 2**shift) cut to low .. 127, with a stack of layers f

LAYERS["residual-int8"] = ({ layers, multipliers: [own, other], shift, low }, arrays, where) => {
  const inner = stack(layers, arrays, where);
  const half = shift ? 2 ** (shift - 1) : 0;
  return (q) => {
    const added = inner(q);
    return q.map((value, at) => cut(Math.floor((value * own + added[at] * other + half) * 2 ** -shift), low));
  };
};
