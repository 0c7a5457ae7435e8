// lookup-int8: table[c, q + 127], with a row of 255 entries for all channels or for each

LAYERS["lookup-int8"] = (_, arrays, where) => {
  const table = arrays[`${where}.table`];
  return (q) => {
    const area = q.length / (table.length / 255); // values per row of the table
    return q.map((value, at) => table[Math.floor(at / area) * 255 + value + 127]);
  };
};
