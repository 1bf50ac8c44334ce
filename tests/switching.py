"""Two small encoders over one database, and what tests of a change between them ask again and again."""

from pathlib import Path

from putting import putting

from pipeline import encoder_switch
from pipeline.backend import Backend, row_of
from pipeline.current_backend import CurrentBackend
from pipeline.features.encoders import registry
from pipeline.images import ImageRecord
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.stores import records_embeddings, records_images
from pipeline.stores.tables import images
from pipeline.worker import Worker

COLORS = ("#d01010", "#10b010", "#1010d0", "#d0d010", "#808080")
FIRST, SECOND = "tiny-a", "tiny-b"

FIELDS = ("settings", "database", "objects", "swatches", "images", "banks", "hashes", "decoders")


class Kept(Backend):
    """One of several over the same stores, which outlive it."""

    def close(self) -> None:
        self.extractor.close()
        self.vectors.close()


def row_named(models: Path, name: str) -> records_embeddings.EncoderRow:
    return row_of(registry.open_encoder(name, models))


def fill(current: CurrentBackend) -> None:
    """Add a picture of each color, and analyze them."""
    put = putting(current.now)
    for number, color in enumerate(COLORS):
        put(color=color, filename=f"{color}.png", seed=number)
    Worker(current).drain()


def words(current: CurrentBackend, text: str) -> list[str]:
    """Return the names of what is found, the nearest first."""
    found = search(current.now, SearchQuery((Term(text=text),)), OWNER)
    return [hit.image.filename for hit in found.hits]


def first_image(current: CurrentBackend) -> ImageRecord:
    with current.now.database.read() as connection:
        rows = connection.scalars(images.select().with_only_columns(images.c.row).order_by(images.c.row).limit(1)).all()
        return records_images.get_by_rows(connection, rows)[0]


def change_to(current: CurrentBackend, name: str) -> None:
    encoder_switch.begin(current.now, OWNER, name)
    Worker(current).fill_encoder()
