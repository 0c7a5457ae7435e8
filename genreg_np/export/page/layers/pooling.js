// pooling: the largest or the mean value of windows of size x size, `stride` apart

LAYERS.pooling = ({ method, shape, size, stride }) => {
  const spans = shape
    .slice(1)
    .map((extent) =>
      Array.from({ length: placesOf(extent, size, stride) }, (_, place) => [place * stride, place * stride + size]),
    );
  return pooled(method, shape, ...spans);
};
