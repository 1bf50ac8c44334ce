"""Which images a picture is compared with, and that they stay few where many are near."""

import numpy as np
import pytest
from fakes import GridEncoder
from random_records import add_image, random_features

from pipeline.duplicate_candidates import BUDGET, Asked, CandidateFinder
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.features.fingerprint import Fingerprint
from pipeline.stores import records_embeddings, records_fingerprints, records_images

IMAGES = 120
BANDS = SimilarityBands(picture_strong=0.6, picture_possible=0.3, text_strong=0.5, text_possible=0.3)


@pytest.fixture
def library(backend):
    """Images of random hashes, whose embeddings lie around one center; the rows, and how to ask for one of them."""
    rng = np.random.default_rng(11)
    center = rng.normal(size=GridEncoder.dimension)
    with backend.database.write() as connection:
        images = [
            add_image(
                connection,
                f"{number}",
                random_features(rng, GridEncoder.dimension),
                encoder=GridEncoder.fingerprint,
            )
            for number in range(IMAGES)
        ]
        for image in images:
            vector = center + 0.6 * rng.normal(size=GridEncoder.dimension)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            records_embeddings.put(connection, image.row, GridEncoder.fingerprint, vector)
        made = {image.row: Fingerprint(rng.bytes(32), rng.bytes(256), 90) for image in images}
        records_fingerprints.put_missing(connection, made)
    backend.extractor.encoder.bands = BANDS
    yield [image.row for image in images], made
    del backend.extractor.encoder.bands


def asked(backend, made, row) -> Asked:
    with backend.database.read() as connection:
        return Asked(made[row], records_embeddings.get_vector(connection, row, GridEncoder.fingerprint), row)


def test_the_nearest_is_a_candidate_and_few_others_are_in_a_crowd(backend, library):
    rows, made = library
    finder = CandidateFinder()
    counts, firsts = [], 0

    for row in rows:
        one = asked(backend, made, row)
        found = finder.find(backend, one)
        counts.append(len(found))
        cosines = {
            other: float(one.embedding @ asked(backend, made, other).embedding) for other in rows if other != row
        }
        firsts += found[0].row == max(cosines, key=cosines.get)

    assert firsts == IMAGES
    assert np.mean(counts) < BUDGET + 0.15  # it is measured on a part of them


def test_a_near_hash_makes_a_candidate_whatever_the_embedding_says(backend, library):
    rows, made = library
    row, other = rows[3], rows[40]
    one = asked(backend, made, row)
    turned = Fingerprint(made[other].whole, made[other].trimmed[32:] + made[other].trimmed[:32], 90)

    found = CandidateFinder().find(backend, Asked(turned, -one.embedding, row))

    assert [(each.row, each.hash_distance) for each in found] == [(other, 0)]
    with backend.database.write() as connection:
        records_images.delete(connection, [other])
    assert CandidateFinder().find(backend, Asked(turned, None, row)) == []
