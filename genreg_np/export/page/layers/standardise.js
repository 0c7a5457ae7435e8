// standardise: (x - mean) * scale

LAYERS.standardise = (_, arrays, where) => {
  const mean = arrays[`${where}.mean`];
  const scale = arrays[`${where}.scale`];
  return (x) => x.map((value, index) => Math.fround(value - mean[index]) * scale[index]);
};
