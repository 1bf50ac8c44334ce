"""Celery and Redis as a doorbell: messages follow the work, and losing any of them, or all of Redis, loses nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from celery_process import CELERY, celery
from command import wait_until
from pictures import picture_bytes
from putting import putting
from redis_server import RedisServer
from saved import found, save

from pipeline.backend import Backend, open_backend
from pipeline.doorbell import Doorbell, open_broker, top_up
from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.images import ImageState
from pipeline.settings import Settings, read_settings
from pipeline.stores import records_listing
from pipeline.worker import Worker


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer(durable=False)
    yield server
    server.close()


@pytest.fixture
def queued(settings: Settings, redis: RedisServer) -> Settings:
    """Settings with a queue in which nothing waits."""
    redis.ask("FLUSHALL")
    return settings.model_copy(update={"queue_url": redis.url, "batch_size": 4})


@pytest.fixture
def accepting(queued: Settings, lite: object) -> Iterator[Backend]:
    """Stores with the encoder that workers have as well, in which nobody works."""
    del lite
    with open_backend(queued) as backend:
        yield backend


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "LIKENESS_DATA": str(settings.data),
        "LIKENESS_MODELS": str(settings.models),
        "LIKENESS_QUEUE_URL": settings.queue_url,
        "LIKENESS_BATCH_SIZE": str(settings.batch_size),
    }


def accept(backend: Backend, number: int) -> None:
    put = putting(backend)
    for seed in range(number):
        put(picture_bytes("noise", seed=seed))


def ready(backend: Backend) -> int:
    with backend.database.read() as connection:
        return records_listing.count_states(connection)[ImageState.READY]


def test_there_are_as_many_messages_as_batches_however_often_somebody_rings(accepting, redis):
    broker = open_broker(accepting.settings)
    assert top_up(accepting.database, broker, 4) == 0
    accept(accepting, 10)

    assert top_up(accepting.database, broker, 4) == 3
    assert top_up(accepting.database, broker, 4) == 0
    assert redis.messages() == broker.count() == 3


def test_messages_are_bounded(accepting, redis, monkeypatch):
    monkeypatch.setattr("pipeline.doorbell.MOST_MESSAGES", 2)
    accept(accepting, 10)

    top_up(accepting.database, open_broker(accepting.settings), 4)

    assert redis.messages() == 2


def test_a_doorbell_has_told_everything_when_it_is_closed(accepting, redis):
    accept(accepting, 5)
    with Doorbell(accepting.database, accepting.settings) as doorbell:
        doorbell.ring()

    assert redis.messages() == 2


def test_nobody_notices_that_redis_is_down_but_the_log(accepting, caplog):
    server = RedisServer()
    server.close()
    nowhere = accepting.settings.model_copy(update={"queue_url": server.url})
    accept(accepting, 1)

    with Doorbell(accepting.database, nowhere) as doorbell:
        for _ in range(3):
            doorbell.ring()

    assert [record.message for record in caplog.records if "Redis does not answer" in record.message]
    with pytest.raises(StoreUnavailable):
        open_broker(nowhere).count()


def test_a_worker_of_celery_analyzes_what_it_is_rung_for(accepting, redis):
    with celery("worker", environment=environment(accepting.settings)):
        accept(accepting, 10)
        with Doorbell(accepting.database, accepting.settings) as doorbell:
            doorbell.ring()
        wait_until(lambda: ready(accepting) == 10)
        wait_until(lambda: redis.messages() == 0)


def test_the_beat_rings_for_what_was_forgotten(accepting, redis):
    accept(accepting, 5)
    assert redis.messages() == 0

    with celery("beat", "--pidfile=", environment=environment(accepting.settings)):
        wait_until(lambda: redis.messages() == 2)


def test_the_beat_has_saved_searches_compared_with_what_came_in(accepting):
    search = save(accepting)
    accept(accepting, 2)
    Worker(accepting).drain()

    with (
        celery("worker", environment=environment(accepting.settings)),
        celery("beat", "--pidfile=", environment=environment(accepting.settings)),
    ):
        wait_until(lambda: len(found(accepting, search)) == 2)


def test_a_worker_without_a_queue_is_told_in_one_sentence(settings):
    nothing = {name: value for name, value in environment(settings).items() if name != "LIKENESS_QUEUE_URL"}
    done = subprocess.run([*CELERY, "worker"], env=nothing, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip().startswith("LIKENESS_QUEUE_URL is not set or cannot be used.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("address", ["amqp://localhost", "redis://", "redis://host:port/0", "localhost:6379"])
def test_an_address_that_is_none_is_a_sentence(address):
    with pytest.raises(ConfigurationError, match="It looks like redis://host:6379/0"):
        open_broker(read_settings(queue_url=address))


def test_nothing_of_celery_is_imported_without_a_queue(tmp_path: Path):
    code = "import sys, webapp.app, pipeline.worker; assert not {'celery', 'kombu', 'redis'} & set(sys.modules)"
    clean: Mapping[str, str] = os.environ | {"LIKENESS_DATA": str(tmp_path)}

    assert subprocess.run([sys.executable, "-c", code], env=clean, check=False).returncode == 0
