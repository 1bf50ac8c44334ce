"""A process that ends itself with SIGKILL at a chosen step of the way of a picture.

    python killed_process.py DATA_FOLDER STEP      with STEP one of `put N`, `commit N`

It uploads one picture and analyzes it. `put N` dies right after the N-th object has been kept, `commit N` right before
the N-th transaction that writes is committed; past the last step it ends by itself.
"""

import io
import os
import signal
import sys
from pathlib import Path

import sqlalchemy as sa
from fakes import GridEncoder
from pictures import picture_bytes

from pipeline.backend import Backend
from pipeline.decoders import DecoderPool
from pipeline.features.decode import Limits
from pipeline.features.extractor import FeatureExtractor
from pipeline.ingest import accept
from pipeline.principals import OWNER
from pipeline.settings import read_settings
from pipeline.stores.bank_table import BankTable
from pipeline.stores.database import Database
from pipeline.stores.hash_table import HashTable
from pipeline.stores.image_table import ImageTable
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.uploads import spooled
from pipeline.worker import Worker


class Countdown:
    """Kills this process when it has been told so often that a step was taken."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, *_: object) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class CountedObjects(FolderObjects):
    """A folder that tells a countdown of every object that has been kept."""

    def __init__(self, folder: Path, countdown: Countdown) -> None:
        super().__init__(folder)
        self.countdown = countdown

    def put(self, key, stream, *, durable=True):
        super().put(key, stream, durable=durable)
        self.countdown.step()


def main(data: Path, kind: str, steps: int) -> None:
    countdown, never = Countdown(steps), Countdown(-1)
    settings = read_settings(data=data)
    database = Database(settings.database_url)
    if kind == "commit":
        sa.event.listen(database.engine, "commit", countdown.step)
    backend = Backend(
        settings=settings,
        database=database,
        objects=CountedObjects(data / "objects", countdown if kind == "put" else never),
        vectors=FaissVectors(database, GridEncoder.fingerprint, GridEncoder.dimension),
        swatches=SwatchTable(database),
        images=ImageTable(database),
        banks=BankTable(database),
        hashes=HashTable(database),
        extractor=FeatureExtractor(GridEncoder(), 1),
        decoders=DecoderPool(1, Limits(), 160 << 20, 20.0),
    )
    with backend, spooled(io.BytesIO(picture_bytes()), "a.png", max_bytes=1 << 20) as upload:
        accept(backend, upload, OWNER)
        Worker(backend).drain()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
