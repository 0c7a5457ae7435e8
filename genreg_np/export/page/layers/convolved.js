// Convolution over all channels of maps.
//
//     sum over c, i, j of w[f, c, i, j] v[c, stride y + i - top, stride x + j - left]
//
// `same` pads v with zeros so that its extents are kept, divided by stride; of an odd number the larger half is at the
// end.

/** Return a function of maps that applies `finish` to each sum, in doubles, and the number of its filter. */
function convolved({ shape: [channels, height, width], filters, size, stride, same }, weight, finish) {
  const [above, beside] = [height, width].map((extent) => margins(extent, size, stride, same));
  const wide = width + beside[0] + beside[1];
  const area = size * size;
  const places = placesOf(above[0] + height + above[1], size, stride) * placesOf(wide, size, stride);
  return (x) => {
    const images = Array.from({ length: channels }, (_, channel) =>
      framed(x.subarray(channel * height * width, (channel + 1) * height * width), width, above, beside),
    );
    const found = new Float32Array(filters * places);
    for (let filter = 0; filter < filters; filter += 1) {
      const sums = new Float64Array(places);
      images.forEach((image, channel) => {
        const first = (filter * channels + channel) * area;
        slide(weight.subarray(first, first + area), size, image, wide, stride, sums);
      });
      found.set(
        sums.map((sum) => finish(sum, filter)),
        filter * places,
      );
    }
    return found;
  };
}

/** Return the number of zeros before and after the maps of a convolution along an extent. */
function margins(extent, size, stride, same) {
  const needed = same ? Math.max(0, (Math.ceil(extent / stride) - 1) * stride + size - extent) : 0;
  return [Math.floor(needed / 2), Math.ceil(needed / 2)];
}
