// scale-shift: scale x + shift, with both for each channel

LAYERS["scale-shift"] = scaled;
