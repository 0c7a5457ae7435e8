"""The names that mixed evolution had before it moved: `breeding.recombine`."""
