// levels: 0 .. 1 to whole numbers, floor(255 x + 1/2) cut to 0 .. 255

LAYERS.levels = () => (x) =>
  x.map((value) => Math.max(0, Math.min(255, Math.floor(Math.fround(Math.fround(value * 255) + 0.5)))));
