// elman: a(W x + U h + b), where h is the first of `states`; it is removed, and the output is appended

LAYERS.elman = ({ activation }, arrays, where) => {
  const weight = arrays[`${where}.weight`];
  const recurrent = arrays[`${where}.recurrent`];
  const bias = arrays[`${where}.bias`];
  const activate = ACTIVATIONS[activation];
  return (x, states) => {
    const kept = products(recurrent, states.shift());
    const values = Float32Array.from(products(weight, x), (sum, row) => {
      const sums = Math.fround(Math.fround(sum) + Math.fround(kept[row]));
      return activate(Math.fround(sums + bias[row]));
    });
    states.push(values);
    return values;
  };
};
