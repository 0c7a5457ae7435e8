// How unfamiliar an input is to the network, as genreg-np's infer_familiarity.py computes it.
//
//     z = scale * (projection x) - shift          x: the inputs of a layer
//     unfamiliarity = distance of z to the nearest prototype, divided by the limit

/** Return a function of the network's input, above 1 for inputs like nothing the network was trained on. */
function unfamiliarityOf({ familiarity: { layer, limit }, layers, arrays }) {
  const before = new Network({ layers: layers.slice(0, layer), arrays });
  const [projection, scale, shift, prototypes] = ["projection", "scale", "shift", "prototypes"].map((name) =>
    decode(arrays[`familiarity.${name}`]),
  );
  return (input) => {
    const z = products(projection, before.outputs(input)).map((sum, axis) => scale[axis] * sum - shift[axis]);
    let least = Infinity;
    for (let start = 0; start < prototypes.length; start += z.length) {
      const squared = z.reduce((sum, value, axis) => sum + (value - prototypes[start + axis]) ** 2, 0);
      least = Math.min(least, squared);
    }
    return Math.sqrt(least) / limit;
  };
}

const unfamiliarity = unfamiliarityOf(model);
const prepare = network.prepare.bind(network);
const showClasses = answer.showClasses.bind(answer);
let asked; // the current input

network.prepare = (...raw) => {
  asked = prepare(...raw);
  return asked;
};

/** Show probabilities, and "Unsure" instead of a class if the input is like nothing the network was trained on. */
answer.showClasses = (probabilities) => {
  const said = showClasses(probabilities);
  if (unfamiliarity(asked) <= 1) return said;
  const why = "like nothing it was trained on";
  answer.headline("Unsure", why);
  return `Unsure, ${why}`;
};
