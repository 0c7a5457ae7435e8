// adaptive-pooling: the largest or the mean values of size x size windows that cover a map, evenly spread

LAYERS["adaptive-pooling"] = ({ method, shape, size }) => {
  const spans = shape
    .slice(1)
    .map((extent) =>
      Array.from({ length: size }, (_, place) => [
        Math.floor((place * extent) / size),
        Math.ceil(((place + 1) * extent) / size),
      ]),
    );
  return pooled(method, shape, ...spans);
};
