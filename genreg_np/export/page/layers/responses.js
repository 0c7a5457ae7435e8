// responses: filters over an image, each with a function, and the means of their outputs in cells

const RESPONSES = {
  relu: (r) => Math.max(r, 0),
  abs: Math.abs,
  sin: Math.sin,
  cos: Math.cos,
  gaussian: (r) => Math.exp(-Math.fround(r * r)),
  "leaky-relu": (r) => (r > 0 ? r : r * Math.fround(0.1)),
  square: (r) => r * r,
  tanh: Math.tanh,
};

LAYERS.responses = ({ shape: [height, width], size, functions, grids }, arrays, where) => {
  const filters = arrays[`${where}.filters`];
  const tall = height - size + 1;
  const wide = width - size + 1;
  return (levels) => {
    const image = levels.map((level) => level / 255);
    return Float32Array.from(
      functions.flatMap((name, index) => {
        const taps = filters.subarray(index * size * size, (index + 1) * size * size);
        const answered = Float32Array.from(slide(taps, size, image, width)).map(RESPONSES[name]);
        return grids.flatMap(([rows, columns]) => Array.from(cellMeans(answered, tall, wide, rows, columns)));
      }),
    );
  };
};
