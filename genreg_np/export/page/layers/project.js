// project: matrix x

LAYERS.project = (_, arrays, where) => {
  const matrix = arrays[`${where}.matrix`];
  return (x) => Float32Array.from(products(matrix, x));
};
