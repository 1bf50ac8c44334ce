"""From pixels to numbers: what is computed from one picture, without stores, settings or network."""
