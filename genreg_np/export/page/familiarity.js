// How unfamiliar an input is to the network, as genreg-np's infer_familiarity.py computes it.
//
//     z = scale * (projection x) - shift          x: what arrives at a layer
//     unfamiliarity = distance of z to the nearest prototype, as a share of the limit

/** Return a function of the network's input: above 1 is like nothing the network was trained on. */
function unfamiliarityOf({ familiarity: { layer, limit }, layers }, arrays) {
  const before = stack(layers.slice(0, layer), arrays, "layers");
  const [projection, scale, shift, prototypes] = ["projection", "scale", "shift", "prototypes"].map(
    (name) => arrays[`familiarity.${name}`],
  );
  return (input) => {
    const z = products(projection, before(input)).map((sum, axis) => scale[axis] * sum - shift[axis]);
    let least = Infinity;
    for (let start = 0; start < prototypes.length; start += z.length) {
      const squared = z.reduce((sum, value, axis) => sum + (value - prototypes[start + axis]) ** 2, 0);
      least = Math.min(least, squared);
    }
    return Math.sqrt(least) / limit;
  };
}

const unfamiliarity = unfamiliarityOf(model, network.arrays);
const showClasses = answer.showClasses.bind(answer);

/** Show probabilities; instead of a class, that the input is like nothing the network was trained on. */
answer.showClasses = (probabilities, input) => {
  const said = showClasses(probabilities);
  if (unfamiliarity(input) <= 1) return said;
  const why = "like nothing it was trained on";
  answer.headline("Unsure", why);
  return `Unsure, ${why}`;
};
