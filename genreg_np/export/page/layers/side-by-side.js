// Several stacks of layers on the same input, with concatenated outputs.

function sideBySide({ branches }, arrays, where) {
  const stacks = branches.map((layers, number) => stack(layers, arrays, `${where}.${number}`));
  return (x) => Float32Array.from(stacks.flatMap((branch) => Array.from(branch(x))));
}
