// columns: values with missing ones (NaN) filled in; flags of 1 or 0 for missing values and for equality

LAYERS.columns = (_, arrays, where) => {
  const [source, mode, value, fill] = ["source", "mode", "value", "fill"].map((name) => arrays[`${where}.${name}`]);
  return (x) =>
    Float32Array.from(source, (place, index) => {
      const missing = Number.isNaN(x[place]);
      const filled = missing ? fill[place] : x[place];
      if (mode[index] === 0) return filled;
      return Number(mode[index] === 1 ? missing : filled === value[index]);
    });
};
