"""Objects in a bucket of an S3 service, whoever runs it.

An upload is whole or not at all and durable when the service has answered, which checks what came by the SHA-256 that
is signed (without TLS) or by its MD5 (with TLS). A download is checked here before the first byte of it is passed
on. Nothing but bytes is kept in an object, because not every service keeps more.
"""

import io
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import (
    AWSConfigProvider,
    ChainedProvider,
    EnvAWSProvider,
    IamAwsProvider,
    Provider,
    StaticProvider,
)
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, ProtocolError, SSLError
from urllib3.response import BaseHTTPResponse

from pipeline.errors import ObjectNotFound, StoreUnavailable
from pipeline.stores import s3_errors, s3_etag
from pipeline.stores.object_keys import is_key, segments_of
from pipeline.stores.protocols import StoredObject
from pipeline.stores.s3_address import S3Address, read_address
from pipeline.stores.s3_connections import S3Connections

log = logging.getLogger(__name__)

PART_BYTES = 16 << 20
"""Larger objects are put in parts of this size, one after the other; each is held in memory while it is sent."""

MEMORY_BYTES = 4 << 20
"""Up to this size a download is held in memory, as most photographs; larger ones wait in a temporary file."""

CHUNK_BYTES = 1 << 18

DOWNLOADS = 2
"""Times that an object is read before it is given up as damaged."""

WRITTEN_SECONDS = 60.0
"""For so long after a write a check only asks. It writes otherwise, which costs money, and space where old versions
are kept."""

SILENT_SECONDS = 1.0
"""After which an upload is preceded by a question; while much is going on, none is."""

PROBE = ".likeness-check"  # no key of ours, so no listing shows it

GONE_HERE = "The file of this picture is gone from the store."


class S3Objects:
    """An ObjectStore in the bucket at `url`, for any number of threads; see `s3_address`. The bucket is made if needed.

    Raises ConfigurationError for an address that means nothing. A service that is down raises nothing yet.
    """

    def __init__(self, url: str) -> None:
        self._at = read_address(url)
        self.address = self._at.shown
        self._connections = S3Connections()
        self._client = Minio(
            self._at.host,
            secure=self._at.secure,
            region=self._at.region,
            http_client=self._connections,
            credentials=_credentials(self._at, self._connections),
        )
        if self._at.virtual is True:
            self._client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        elif self._at.virtual is False:
            self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        self._has_bucket = False
        self._written = -WRITTEN_SECONDS  # when something was last put, by the clock of this process

    def put(self, key: str, stream: BinaryIO, *, durable: bool = True) -> None:
        """Keep what `stream` gives under `key`, whole or not at all. All is durable that the service took."""
        del durable
        name = self._name(key)
        with self._asked():
            self._put(name, stream)

    def open(self, key: str) -> BinaryIO:
        """Return the object as a seekable stream, from memory or a temporary file, after all of it came undamaged."""
        name = self._name(key)
        with self._asked():
            before: set[str] = set()
            for _ in range(DOWNLOADS):
                try:
                    stream = self._download(name, before)
                except S3Error as error:
                    if error.code in s3_errors.GONE:
                        raise ObjectNotFound(GONE_HERE, detail=key) from error
                    raise
                if stream:
                    return stream
                log.warning("%s came damaged, or its ETag is not what docs/object-stores.md expects", key)
        raise StoreUnavailable(s3_errors.DAMAGED, detail=key)

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        name = self._name(key)
        with self._asked():
            try:
                self._client.stat_object(self._at.bucket, name)
            except S3Error as error:
                if error.code not in s3_errors.GONE:
                    raise
                if self._client.bucket_exists(self._at.bucket):
                    return False
                # The answer to this question has no body, so a bucket that is gone looks like an object that is gone.
                raise StoreUnavailable(s3_errors.NO_BUCKET, detail=self.address) from error
        return True

    def delete(self, key: str) -> None:
        """Remove the object; it is no error when there is none."""
        name = self._name(key)
        with self._asked():
            self._delete(name)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove all these objects, a thousand with one request; those that are not there are no error."""
        names = [self._name(key) for key in keys]
        with self._asked():
            try:
                failed = list(self._client.remove_objects(self._at.bucket, map(DeleteObject, names)))
            except S3Error as error:
                if error.code not in s3_errors.UNKNOWN_REQUEST:
                    raise
                for name in names:
                    self._delete(name)
                return
        for told in failed:
            if told.code not in s3_errors.GONE:
                sentence = s3_errors.sentence_of(told.code, HTTPStatus.OK)
                raise StoreUnavailable(sentence, detail=f"{told.code} {told.message} {told.name}")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with `prefix`, read in thousands. What others keep there is left out."""
        start = self._at.prefix
        with self._asked():
            for found in self._client.list_objects(self._at.bucket, prefix=start + prefix, recursive=True):
                key = (found.object_name or "").removeprefix(start)
                if found.last_modified is not None and is_key(key):
                    yield StoredObject(key, found.size or 0, found.last_modified)

    def check(self) -> None:
        """Return when the service answers, and took something within the last minute."""
        with self._asked():
            if not self._client.bucket_exists(self._at.bucket):
                raise StoreUnavailable(s3_errors.NO_BUCKET, detail=self.address)
            if time.monotonic() - self._written > WRITTEN_SECONDS:
                name = self._at.prefix + PROBE
                self._put(name, io.BytesIO())
                self._delete(name)

    def _put(self, name: str, stream: BinaryIO) -> None:
        if self._connections.silent_seconds > SILENT_SECONDS:
            # What does not answer is found out sooner by a question than by an upload, which may take its time. Any
            # answer will do.
            with suppress(S3Error):
                self._client.bucket_exists(self._at.bucket)
        # One part after the other: the client's own threads would be left behind by a stream that breaks.
        self._client.put_object(self._at.bucket, name, stream, length=-1, part_size=PART_BYTES, num_parallel_uploads=1)
        self._written = time.monotonic()

    def _delete(self, name: str) -> None:
        try:
            self._client.remove_object(self._at.bucket, name)
        except S3Error as error:
            if error.code not in s3_errors.GONE:
                raise

    def _download(self, name: str, before: set[str]) -> BinaryIO | None:
        """Return what lies under `name`, or None when it came damaged; `before` tells what came before."""
        answer = self._client.get_object(self._at.bucket, name)
        try:
            size = int(answer.headers["content-length"]) if "content-length" in answer.headers else None
            etag_headers = answer.headers if self._at.etag_is_md5 else {}
            checker = s3_etag.checker_of(etag_headers, size, PART_BYTES)
            return _received(answer, checker, size, before)
        finally:
            answer.close()
            answer.release_conn()

    def _name(self, key: str) -> str:
        return self._at.prefix + "/".join(segments_of(key))

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Let the bucket be there, and every error of the client be one of ours."""
        try:
            if not self._has_bucket:
                self._make_bucket()
                self._has_bucket = True
            yield
        except (HTTPError, MinioException, ParseError) as error:
            raise _ours(error) from error

    def _make_bucket(self) -> None:
        """Make the bucket if it is missing. Who may not even ask for it goes on, since it may well be there."""
        try:
            if not self._client.bucket_exists(self._at.bucket):
                self._client.make_bucket(self._at.bucket)
                log.info("the bucket %s was made", self._at.bucket)
        except S3Error as error:
            if error.code not in {*s3_errors.THERE_ALREADY, s3_errors.DENIED}:
                raise


class _FoundCredentials(Provider):
    """Those of the environment, of AWS's file of credentials, or of the machine or pod, renewed when they expire."""

    def __init__(self, connections: S3Connections) -> None:
        self._chain = ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), IamAwsProvider(http_client=connections)])

    def retrieve(self) -> Credentials:
        """Return credentials. Raises StoreUnavailable when there are none."""
        try:
            return self._chain.retrieve()
        except (ValueError, KeyError, OSError, HTTPError) as error:
            raise StoreUnavailable(s3_errors.NO_CREDENTIALS, detail=str(error)) from error


def _credentials(at: S3Address, connections: S3Connections) -> Provider:
    return StaticProvider(at.key, at.secret) if at.key else _FoundCredentials(connections)


def _received(
    answer: BaseHTTPResponse, checker: s3_etag.Checker, size: int | None, before: set[str]
) -> BinaryIO | None:
    """Return all the bytes of an answer as a stream that stands at its beginning, or None when they are not right."""
    try:
        small = size is not None and size <= MEMORY_BYTES
        stream: BinaryIO = io.BytesIO() if small else tempfile.TemporaryFile()  # noqa: SIM115 - closed by who reads it
        try:
            for chunk in answer.stream(CHUNK_BYTES, decode_content=False):
                checker.update(chunk)
                stream.write(chunk)
            found = checker.found()
            whole = checker.is_right() or found in before
            if found:
                before.add(found)
        except ProtocolError:  # the connection ended before all of it came
            whole = False
        except BaseException:
            stream.close()
            raise
        if not whole:
            stream.close()
            return None
        stream.seek(0)
    except OSError as error:
        raise StoreUnavailable(s3_errors.NO_ROOM_HERE, detail=str(error)) from error
    return stream


def _ours(error: Exception) -> StoreUnavailable:
    if isinstance(error, S3Error):
        sentence = s3_errors.sentence_of(error.code or "", error.response.status)
    elif isinstance(error, ServerError):
        sentence = s3_errors.sentence_of("", error.status_code)
    elif isinstance(error, SSLError):
        sentence = s3_errors.NOT_SAFE
    else:
        sentence = s3_errors.DOWN if isinstance(error, HTTPError) else s3_errors.UNREADABLE
    return StoreUnavailable(sentence, detail=str(error))
