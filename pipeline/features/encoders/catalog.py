"""The CLIP models that Likeness knows, as `catalog.toml` beside this module lists them.

Read once, at import; nothing here asks the network. Where the catalog leaves a size or a SHA-256 open, nobody could
verify it, and `likeness models list` says so.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.features.encoders.cards import ModelCard, read_card

CATALOG_FILE = Path(__file__).parent / "catalog.toml"


def _card(values: Mapping[str, Any], preparations: Mapping[str, Any]) -> ModelCard:
    own = {name: value for name, value in values.items() if name != "preparation"}
    return read_card(own | preparations[values["preparation"]])


def _read() -> tuple[str, dict[str, ModelCard]]:
    listed = tomllib.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    cards = [_card(values, listed["preparations"]) for values in listed["models"]]
    return listed["default"], {card.name: card for card in cards}


DEFAULT, CATALOG = _read()
"""The name of the CLIP model that is used where weights can be had, and every card by its name, in order."""
