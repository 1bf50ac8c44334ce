"""Color names: the web's own colors of the eleven names, and what people would say to a few more."""

import numpy as np
import pytest

from pipeline.features.color import hex_to_lab
from pipeline.features.color_names import name_indices
from pipeline.features.picture import COLOR_NAMES

FOCAL = {
    "#000000": "black",
    "#ffffff": "white",
    "#808080": "gray",
    "#ff0000": "red",
    "#ffa500": "orange",
    "#ffff00": "yellow",
    "#008000": "green",
    "#0000ff": "blue",
    "#800080": "purple",
    "#ffc0cb": "pink",
    "#8b4513": "brown",  # CSS saddlebrown; CSS brown itself is a dark red
}

EVERYDAY = {
    "#000080": "blue",  # navy
    "#87ceeb": "blue",  # sky
    "#00ff00": "green",  # lime
    "#228b22": "green",  # forest
    "#ffd700": "yellow",  # gold
    "#ff69b4": "pink",  # hot pink
    "#4b0082": "purple",  # indigo
    "#654321": "brown",  # dark brown
    "#dc143c": "red",  # crimson
    "#ff8c00": "orange",  # dark orange
    "#d3d3d3": "gray",  # light gray
    "#36454f": "gray",  # charcoal
    "#fffafa": "white",  # snow
    "#0a0a0a": "black",
}


@pytest.mark.parametrize(("color", "name"), [*FOCAL.items(), *EVERYDAY.items()])
def test_a_color_gets_the_name_that_people_give_it(color, name):
    assert COLOR_NAMES[int(name_indices(hex_to_lab(color)))] == name


def test_every_color_has_a_name():
    levels = np.linspace(0, 255, 17).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    labs = np.array([hex_to_lab("#" + bytes(color).hex()) for color in cube])
    assert set(np.unique(name_indices(labs))) == set(range(len(COLOR_NAMES)))
