// Averaging many pixels to few.

/** Return which parts of which pixels lie in each of `count` intervals from `start`, each `step` long. */
function overlaps(start, step, count, extent) {
  const found = [];
  for (let interval = 0; interval < count; interval += 1) {
    const from = start + interval * step;
    const to = from + step;
    for (let pixel = Math.max(0, Math.floor(from)); pixel < Math.min(extent, Math.ceil(to)); pixel += 1) {
      found.push({ interval, pixel, part: Math.min(to, pixel + 1) - Math.max(from, pixel) });
    }
  }
  return found;
}

/** Return the grey level of the colour at data[at], as Pillow computes it. */
function grey(data, at) {
  return Math.floor((19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) / 65536);
}
