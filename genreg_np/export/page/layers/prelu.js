// prelu: x, or slope x where x < 0, with a slope for each channel

LAYERS.prelu = ({ shape }, arrays, where) => {
  const slope = arrays[`${where}.slope`];
  const area = areaOf(shape);
  return (x) => x.map((value, at) => (value > 0 ? value : value * slope[Math.floor(at / area)]));
};
