"""A process whose threads work off the queue of a database, without any picture: what they claim they complete.

    python queue_process.py DATABASE_URL THREADS [WRITING]

It prints the row of each image that a thread has completed, and ends when nothing is left to claim. WRITING
is BESIDE, as workers write, or ALONE.
"""

import sys
import threading
from datetime import timedelta

import numpy as np
from fakes import GridEncoder
from random_records import random_features

from pipeline.features.picture import Facts
from pipeline.stores import records_queue
from pipeline.stores.database import Database, Writing

FACTS = Facts("PNG", "image/png", 640, 480)
LEASE = timedelta(minutes=1)


def main(url: str, threads: int, writing: str = "BESIDE") -> None:
    database = Database(url)
    working = [threading.Thread(target=work_off, args=(database, seed, Writing[writing])) for seed in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    database.close()


def work_off(database: Database, seed: int, writing: Writing) -> None:
    features = random_features(np.random.default_rng(seed), GridEncoder.dimension)
    while True:
        with database.write(writing) as connection:
            claimed = records_queue.claim(connection, limit=8, lease=LEASE, max_attempts=5)
        if not claimed.images and not claimed.look_again:
            return
        for image in claimed.images:
            with database.write(writing) as connection:
                held = records_queue.complete(
                    connection,
                    image.row,
                    claimed.token,
                    facts=FACTS,
                    features=features,
                    encoder_name=GridEncoder.name,
                    encoder=GridEncoder.fingerprint,
                )
            if held:
                sys.stdout.write(f"{image.row}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
