// detectors: filters over images of `depth` channels, rectified, pooled, square-rooted; levels to levels
//
//     response r = sum of filter * image, dark outside the image
//     output = min(255, floor(gain * sqrt(sum over a window of max(r, 0)))), and the same of -r if signed; else of |r|

LAYERS.detectors = ({ shape: [channels, height, width], filters: count, size, depth = 1, ...pools }, arrays, where) => {
  const filters = arrays[`${where}.filters`];
  const { margin, window: side, stride, signed } = pools;
  const gain = Math.fround(pools.gain);
  const tall = height + 2 * margin - size + 1;
  const wide = width + 2 * margin - size + 1;
  const rows = placesOf(tall, side, stride);
  const columns = placesOf(wide, side, stride);
  const rectifiers = signed ? [(r) => Math.max(r, 0), (r) => Math.max(-r, 0)] : [Math.abs];
  const [pixels, area, images] = [height * width, size * size, channels / depth];
  return (levels) => {
    const found = new Float32Array(images * count * rectifiers.length * rows * columns);
    let at = 0;
    for (let image = 0; image < images; image += 1) {
      const frames = Array.from({ length: depth }, (_, channel) => {
        const first = (image * depth + channel) * pixels;
        return framed(levels.subarray(first, first + pixels), width, [margin, margin], [margin, margin]);
      });
      for (let filter = 0; filter < count; filter += 1) {
        const responses = new Float64Array(tall * wide);
        frames.forEach((frame, channel) => {
          const first = (filter * depth + channel) * area;
          slide(filters.subarray(first, first + area), size, frame, width + 2 * margin, 1, responses);
        });
        for (const rectify of rectifiers) {
          const rectified = responses.map(rectify);
          for (let row = 0; row < rows; row += 1) {
            for (let column = 0; column < columns; column += 1) {
              const sum = windowSum(rectified, wide, row * stride, column * stride, side);
              found[at] = Math.min(255, Math.floor(Math.fround(gain * Math.fround(Math.sqrt(sum)))));
              at += 1;
            }
          }
        }
      }
    }
    return found;
  };
};

/** Return the sum of side x side numbers. */
function windowSum(values, width, top, left, side) {
  let sum = 0;
  for (let row = top; row < top + side; row += 1) {
    for (let column = left; column < left + side; column += 1) sum += values[row * width + column];
  }
  return sum;
}
