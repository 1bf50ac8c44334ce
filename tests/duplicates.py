"""Findings written by hand: pictures that are ready at once, and what is said of pairs of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from house import ensure_library

from pipeline import duplicate_groups
from pipeline.backend import Backend
from pipeline.features.comparison import Comparison, Verdict
from pipeline.images import ImageRecord
from pipeline.principals import OWNER, Principal
from pipeline.stores import records_images
from pipeline.stores.records_images import NewImage
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import pair_findings


@dataclass(frozen=True)
class Findings:
    """Puts images and findings into the tables of a backend."""

    backend: Backend

    def picture(self, name: str, library: str = "main", **values: Any) -> ImageRecord:
        """Put a picture that is ready, with bytes of its own by its name; its columns are `values`."""
        caption, tags = values.pop("caption", None), values.pop("tags", None)
        sha256 = values.pop("sha256", hashlib.sha256(name.encode()).hexdigest())
        with self.backend.database.write() as connection:
            ensure_library(connection, library)
            new = NewImage(library, sha256, 1000, "image/jpeg", 640, 480, f"{name}.jpg")
            image, _ = records_images.add(connection, new)
            if caption is not None or tags is not None:
                records_images.edit(connection, image.row, caption=caption, new_tags=tags)
            connection.execute(images.update().where(images.c.row == image.row).values(state="ready", **values))
            return records_images.get_by_rows(connection, [image.row])[0]

    def found(self, a: ImageRecord, b: ImageRecord, verdict: str = "edited", **evidence: Any) -> None:
        """Say what two pictures are to each other, in the words of the picture that came first."""
        self.found_all([(a, b, verdict, evidence)])

    def found_all(self, pairs: Sequence[tuple[ImageRecord, ImageRecord, str, dict[str, Any]]]) -> None:
        """Say it of several pairs, as one check does."""
        with self.backend.database.write() as connection:
            for a, b, verdict, evidence in pairs:
                values = {
                    "a_row": min(a.row, b.row),
                    "b_row": max(a.row, b.row),
                    "verdict": verdict,
                    "evidence": Comparison(Verdict(verdict), **evidence).as_json(),
                    "version": 1,
                    "found_at": datetime.now(UTC),
                }
                connection.execute(pair_findings.insert().values(values))
            duplicate_groups.regroup(connection, [image.row for pair in pairs for image in pair[:2]])

    def groups(self, principal: Principal = OWNER, **asked: Any) -> list[list[str]]:
        """Return the groups as lists of the names of their pictures, the keeper first."""
        page = duplicate_groups.list_groups(self.backend, principal, limit=100, **asked)
        return [[image.filename.removesuffix(".jpg") for image in group.images] for group in page.groups]

    def rows(self, table: sa.Table) -> list[tuple[Any, ...]]:
        """Return everything in a table."""
        with self.backend.database.read() as connection:
            return sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
