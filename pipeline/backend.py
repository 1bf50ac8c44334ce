"""Everything a workflow needs, opened once per process from the settings and passed on as one value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.decoders import DecoderPool
from pipeline.errors import ConfigurationError
from pipeline.features.decode import Limits
from pipeline.features.encoders import registry
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.extractor import FeatureExtractor
from pipeline.settings import Settings
from pipeline.stores import records_embeddings
from pipeline.stores.charge import StoreId
from pipeline.stores.database import Database
from pipeline.stores.database_address import without_secrets
from pipeline.stores.opening import naming, open_database, open_objects
from pipeline.stores.protocols import ObjectStore, VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.vectors_current import CurrentVectors


@dataclass(frozen=True)
class Backend:
    """The stores, the encoder and the decoder processes of one process. A context manager; `close` ends it all."""

    settings: Settings
    database: Database
    objects: ObjectStore
    vectors: VectorStore
    swatches: SwatchTable
    extractor: FeatureExtractor
    decoders: DecoderPool

    def __post_init__(self) -> None:
        """Let the database know which store the pictures are kept in, so that it refuses changes in any other."""
        self.database.store_id = StoreId(self.objects)

    @property
    def encoder(self) -> Encoder:
        """The encoder whose vectors are searched."""
        return self.extractor.encoder

    def close(self) -> None:
        """End threads and processes and close connections."""
        self.decoders.close()
        self.extractor.close()
        self.vectors.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_backend(settings: Settings) -> Backend:
    """Open everything `settings` name, making folders and tables that are missing.

    Raises ConfigurationError, StoreUnavailable or ModelUnusable, each saying what to do.
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
        encoder = _open_encoder(settings, database)
    limits = Limits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_decode_bytes=settings.decoder_memory_bytes,
    )
    return Backend(
        settings=settings,
        database=database,
        objects=objects,
        vectors=CurrentVectors(database, EncoderRow(encoder.fingerprint, encoder.name, encoder.dimension), settings),
        swatches=SwatchTable(database),
        extractor=FeatureExtractor(encoder, settings.worker_threads),
        decoders=DecoderPool(
            settings.decoder_processes, limits, settings.decoder_memory_bytes, settings.decoder_seconds
        ),
    )


def _open_encoder(settings: Settings, database: Database) -> Encoder:
    """Open the encoder the database was filled with, or decide it for an empty database."""
    with database.read() as connection:
        active = records_embeddings.active_encoder(connection)
    if active and settings.encoder not in {"auto", active.name}:
        raise ConfigurationError(
            f"This data was analyzed with the encoder {active.name}, but LIKENESS_ENCODER says "
            f"{settings.encoder}. Please set it to {active.name} or auto."
        )
    wanted = active.name if active else settings.encoder
    encoder = registry.open_encoder(registry.DEFAULT if wanted == "auto" else wanted, _models(settings))
    if active is None:
        active = _decide(database, encoder)
    if active.fingerprint != encoder.fingerprint:
        raise ConfigurationError(
            f"This data was analyzed with another version of the encoder {active.name}, whose numbers cannot be "
            "compared with this one's. Please start the version of Likeness that made it.",
            detail=f"database {active.fingerprint}, program {encoder.fingerprint}",
        )
    return encoder


def _decide(database: Database, encoder: Encoder) -> EncoderRow:
    """Record `encoder` as the active one, unless another process was quicker; return the active one."""
    with database.write() as connection:
        active = records_embeddings.active_encoder(connection)
        if active is None:
            active = EncoderRow(encoder.fingerprint, encoder.name, encoder.dimension)
            records_embeddings.activate_encoder(connection, active)
    return active


def _models(settings: Settings) -> Path:
    return settings.models or settings.data / "models"
