// upsample: each value `factor` times along both axes

LAYERS.upsample = ({ shape, factor }) => {
  const width = shape[2];
  const wide = width * factor;
  return (x) =>
    Float32Array.from({ length: extentOf(shape) * factor * factor }, (_, at) => {
      const row = Math.floor(at / (wide * factor)); // of all channels
      return x[row * width + Math.floor((at % wide) / factor)];
    });
};
