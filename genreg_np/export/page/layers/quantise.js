// quantise: floor(a x + b) cut to low .. 127, in doubles

LAYERS.quantise = ({ low }, arrays, where) => {
  const a = arrays[`${where}.a`];
  const b = arrays[`${where}.b`];
  return (x) => x.map((value, index) => cut(Math.floor(a[index] * value + b[index]), low));
};
