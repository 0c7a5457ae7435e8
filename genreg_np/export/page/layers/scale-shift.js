// scale-shift: scale x + shift, with both per channel

LAYERS["scale-shift"] = scaled;
