// Values of maps (C, H, W) are stored channel by channel, row by row.

/** Return the product of extents. */
const extentOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** Return the number of values in a channel. */
const areaOf = ([, ...extents]) => extentOf(extents);

/** Return scale x + shift, with both per channel, as a function of x. */
function scaled({ shape }, arrays, where) {
  const scale = arrays[`${where}.scale`];
  const shift = arrays[`${where}.shift`];
  const area = areaOf(shape);
  return (x) =>
    x.map((value, at) => {
      const channel = Math.floor(at / area);
      return Math.fround(value * scale[channel]) + shift[channel];
    });
}
