"""Everything a workflow needs, opened once per process from the settings and passed on as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from pipeline import encoder_choice
from pipeline.decoders import DecoderPool
from pipeline.errors import ConfigurationError, ModelUnusable
from pipeline.features.decode import Limits
from pipeline.features.encoders import lite, registry
from pipeline.features.encoders.protocol import Encoder, SimilarityBands
from pipeline.features.encoders.trial import try_out
from pipeline.features.extractor import FeatureExtractor
from pipeline.settings import Settings
from pipeline.stores import records_embeddings, records_encoders
from pipeline.stores.bank_table import BankTable
from pipeline.stores.charge import StoreId
from pipeline.stores.database import Database
from pipeline.stores.database_address import without_secrets
from pipeline.stores.hash_table import HashTable
from pipeline.stores.image_table import ImageTable
from pipeline.stores.opening import naming, open_database, open_objects
from pipeline.stores.protocols import ObjectStore, VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.vectors_current import CurrentVectors


@dataclass(frozen=True)
class Backend:
    """The stores, the encoder and the decoder processes of one process. A context manager; `close` ends it all.

    `measured_bands` are those of the encoder in this database, where they were measured, on `measured_on` pictures.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    vectors: VectorStore
    swatches: SwatchTable
    images: ImageTable
    banks: BankTable
    hashes: HashTable
    extractor: FeatureExtractor
    decoders: DecoderPool
    measured_bands: SimilarityBands | None = None
    measured_on: int = 0

    def __post_init__(self) -> None:
        """Let the database know which store the pictures are kept in, so that it refuses changes in any other."""
        self.database.store_id = StoreId(self.objects)

    @property
    def bands(self) -> SimilarityBands:
        """From which cosine on a hit is strong or possible: as measured here, or else as the encoder came with."""
        return self.measured_bands or self.encoder.bands

    @property
    def now(self) -> Self:
        """This one, which never changes: workflows that go on for long ask for the backend of now."""
        return self

    @property
    def encoder(self) -> Encoder:
        """The encoder whose vectors are searched."""
        return self.extractor.encoder

    def close(self) -> None:
        """End threads and processes and close connections."""
        self.decoders.close()
        self.extractor.close()
        self.vectors.close()
        self.swatches.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


OnDownload = Callable[[int, int], None]
"""Told how many bytes of how many have come of a model that has to be fetched."""


def open_backend(
    settings: Settings, on_download: OnDownload | None = None, *, first_encoder: str | None = None
) -> Backend:
    """Open everything `settings` name, making folders and tables that are missing.

    The first start decides which encoder the database works with, and may fetch it from the model hub; it is
    `first_encoder`, where that is given, whatever the settings say. Raises ConfigurationError, StoreUnavailable or
    ModelUnusable, each saying what to do.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {settings.data} cannot be made. Please choose another with LIKENESS_DATA.",
            detail=str(error),
        ) from error
    objects = open_objects(settings.objects_url)
    database = open_database(settings)
    with naming(without_secrets(database.url)):
        database.migrate()
        encoder = _open_encoder(settings, database, on_download or _untold, first_encoder)
        with database.read() as connection:
            bands = records_encoders.bands_of(connection, encoder.fingerprint)
            measured_on = records_encoders.measured_on(connection, encoder.fingerprint)
    limits = Limits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_decode_bytes=settings.decoder_memory_bytes,
    )
    return Backend(
        settings=settings,
        database=database,
        objects=objects,
        vectors=CurrentVectors(database, row_of(encoder), settings),
        swatches=SwatchTable(database, settings.data / "index"),
        images=ImageTable(database),
        banks=BankTable(database),
        hashes=HashTable(database),
        measured_bands=bands,
        measured_on=measured_on,
        extractor=FeatureExtractor(encoder, settings.worker_threads),
        decoders=DecoderPool(
            settings.decoder_processes, limits, settings.decoder_memory_bytes, settings.decoder_seconds
        ),
    )


def row_of(encoder: Encoder) -> EncoderRow:
    """Return an encoder as the database knows it."""
    return EncoderRow(encoder.fingerprint, encoder.name, encoder.dimension)


def open_space(settings: Settings, database: Database, row: EncoderRow) -> tuple[FeatureExtractor, VectorStore]:
    """Return the encoder of `row` and its vectors, beside those that are open already.

    Raises ModelUnusable when it is not installed here, or another version of it is.
    """
    encoder = registry.open_encoder(row.name, settings.models_folder)
    if encoder.fingerprint != row.fingerprint:
        raise ModelUnusable(_other_version(row, settings), detail=_both(row, encoder))
    return FeatureExtractor(encoder, settings.worker_threads), CurrentVectors(database, row, settings)


def _untold(_done: int, _total: int) -> None:
    """Nobody watches."""


def _other_version(wanted: EncoderRow, settings: Settings) -> str:
    """Return what to do where the files of an encoder are not those that the database knows."""
    if wanted.name == lite.NAME:  # its files come with the program
        return (
            f"This data was analyzed with another version of the encoder {wanted.name}, whose numbers cannot be "
            "compared with this one's. Please start the version of Likeness that made it."
        )
    return (
        f"This data was analyzed with other files of the encoder {wanted.name} than those in "
        f"{settings.models_folder / wanted.name}, whose numbers cannot be compared with theirs. Please bring that "
        "folder from a machine where it works, or from a backup, and run `likeness models import` with it; if the "
        "files are the same, start the version of Likeness that made the data."
    )


def _both(wanted: EncoderRow, encoder: Encoder) -> str:
    return f"database {wanted.fingerprint}, here {encoder.fingerprint}"


def _open_encoder(settings: Settings, database: Database, on_download: OnDownload, first: str | None) -> Encoder:
    """Open the encoder the database was filled with, or decide it for an empty database."""
    with database.read() as connection:
        active = records_embeddings.active_encoder(connection)
    if active and settings.encoder not in {"auto", active.name}:
        raise ConfigurationError(
            f"This data was analyzed with the encoder {active.name}, but LIKENESS_ENCODER says "
            f"{settings.encoder}. Please set it to {active.name} or auto; `likeness models use {settings.encoder}` "
            "then changes the encoder, while searches go on."
        )
    if active:
        encoder_choice.fetch_missing(active.name, settings, on_download)
        encoder = registry.open_encoder(active.name, settings.models_folder)
    else:
        wanted = first or settings.encoder
        wanted = encoder_choice.choose(settings, on_download) if wanted == "auto" else wanted
        encoder = registry.open_encoder(wanted, settings.models_folder)
        try_out(encoder)  # nothing is decided for a model of which a part is damaged
        active = _decide(database, encoder)
        if active.name != encoder.name:  # another process was quicker, and decided otherwise
            encoder_choice.fetch_missing(active.name, settings, on_download)
            encoder = registry.open_encoder(active.name, settings.models_folder)
    if active.fingerprint != encoder.fingerprint:
        raise ConfigurationError(_other_version(active, settings), detail=_both(active, encoder))
    return encoder


def _decide(database: Database, encoder: Encoder) -> EncoderRow:
    """Record `encoder` as the active one, unless another process was quicker; return the active one."""
    with database.write() as connection:
        active = records_embeddings.active_encoder(connection)
        if active is None:
            active = row_of(encoder)
            records_embeddings.activate_encoder(connection, active)
    return active
