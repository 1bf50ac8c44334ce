"""The Celery application and its queue: which messages there are, how many wait, and how one is sent.

A message is a doorbell and says nothing but that pictures wait; which ones, the database says. So a message that is
lost or comes twice changes nothing. Only `pipeline.celery_app`, where the tasks are, and `pipeline.doorbell` need this.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from celery.schedules import crontab
from kombu.connection import Connection
from kombu.exceptions import KombuError

from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.settings import Settings

QUEUE = "likeness"
"""The name of the queue, which is also the key of the Redis list: `LLEN likeness` is what to scale workers on."""

ANALYZE = "likeness.analyze"  # the names of the tasks, as they stand in messages
RING = "likeness.ring"
RECONCILE = "likeness.reconcile"
SWEEP = "likeness.sweep"
FILL = "likeness.fill"
CHECK = "likeness.check"
NOTIFY = "likeness.notify"

FILL_SECONDS = 5.0
"""For which one message has a worker fill the next encoder, and between two messages while one is being filled."""

CHECK_SECONDS = 5.0
"""For which one message has a worker check for duplicates, and between two messages while images wait for that."""

NOTIFY_SECONDS = 5.0
"""Between two looks of the beat whether saved searches are to be compared with new pictures, or webhooks to be told."""

RING_SECONDS = 10.0
"""Between two looks of the beat for what waits though its message was lost or its worker died: with a lease of 30 s
the pictures of a dead worker are in other hands after 40 s at most."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # when the beat has last rung, as it thinks at its start: so at once

SWEEP_AT = crontab(hour="3", minute="17")  # UTC; a sweep lists the whole object store, so it is made at night

ANSWER_SECONDS = 2.0  # for Redis to take a message: nobody waits for it, but a thread does
VISIBILITY_SECONDS = 600
"""After which a message that a dead worker has not acknowledged is delivered again. The beat rings long before; this
only clears such messages away, and is longer than a batch takes, so that living workers keep theirs."""
RESTORE_SECONDS = 30  # between two looks for such messages; Celery's default comes to 100

DOWN = "Redis does not answer."
REFUSED = "Redis refuses the password of Likeness, or asks for one. Please correct LIKENESS_QUEUE_URL."
ABOUT_PASSWORDS = re.compile("WRONGPASS|NOAUTH|AUTH <password>|[Aa]uthentication|username-password", re.ASCII)
UNKNOWN = "LIKENESS_QUEUE_URL is not set or cannot be used. It looks like redis://host:6379/0, with TLS rediss://…."


def celery_application(settings: Settings) -> Celery:
    """Return the application as workers, the beat and those who ring share it; nothing is connected yet.

    Raises ConfigurationError for an address that is not one of Redis.
    """
    try:
        address = urlsplit(settings.queue_url)
        known = address.scheme in {"redis", "rediss"} and bool(address.hostname) and (address.port or 1) > 0
    except ValueError as error:
        raise ConfigurationError(UNKNOWN) from error
    if not known:
        raise ConfigurationError(UNKNOWN)
    application = Celery("likeness", broker=settings.queue_url, set_as_current=False)
    application.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        timezone="UTC",
        worker_prefetch_multiplier=1,
        # One batch at a time in each process, because a batch is analyzed in LIKENESS_WORKER_THREADS threads already.
        # Threads, and not processes of Celery's: those could not share the encoder, and a decoder that crashes has a
        # process of its own anyway. The main thread stays free, so the worker answers `inspect ping` meanwhile.
        worker_pool="threads",
        worker_concurrency=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # what they write counts, acknowledged or not
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker that is down is waited for
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "unacked_restore_interval": RESTORE_SECONDS,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
        },
        beat_scheduler="pipeline.celery_app:Sweeper",
        beat_schedule={
            "ring": {"task": RING, "schedule": RING_SECONDS, "last_run_at": LONG_AGO},
            "fill": {"task": FILL, "schedule": FILL_SECONDS},
            "check": {"task": CHECK, "schedule": CHECK_SECONDS},
            "notify": {"task": NOTIFY, "schedule": NOTIFY_SECONDS},
            "reconcile": {"task": RECONCILE, "schedule": settings.reconcile_seconds},
            "sweep": {"task": SWEEP, "schedule": SWEEP_AT},
        },
    )
    return application


class Broker:
    """The queue as those see it who ring. The methods raise StoreUnavailable when Redis does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._application = celery_application(settings)

    def count(self) -> int:
        """Return how many messages wait for a worker."""
        with self._connected() as connection:
            return _count(connection)

    def fill(self, wanted: int) -> int:
        """Send messages until so many wait; return how many that were."""
        with self._connected() as connection:
            missing = wanted - _count(connection)
            for _ in range(missing):
                self._application.send_task(ANALYZE, connection=connection, retry=False)
        return max(0, missing)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        connection = self._application.connection_for_write(
            connect_timeout=ANSWER_SECONDS,
            transport_options={"max_retries": 0, "socket_timeout": ANSWER_SECONDS, "retry_on_timeout": False},
        )
        try:
            with connection:
                yield connection
        except (KombuError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
            raise StoreUnavailable(
                REFUSED if ABOUT_PASSWORDS.search(str(error)) else DOWN, detail=str(error)
            ) from error


def _count(connection: Connection) -> int:
    channel: Any = connection.default_channel
    return int(channel.queue_declare(queue=QUEUE).message_count)
