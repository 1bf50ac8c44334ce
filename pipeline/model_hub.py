"""Asking a model hub: what a file is, and its bytes from a place on. The one module that knows `huggingface_hub`.

Proxies, certificates and tokens are that library's business, as its documentation says. Its own downloads are not used:
they begin anew after an interruption. What is asked for goes over plain HTTP, so that any mirror will do.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from pipeline.errors import ModelHubUnavailable

OFF = "off"
"""What `LIKENESS_HUB` says where no hub may be asked."""

ANSWER_SECONDS = 30.0
"""How long a hub may be silent before it is given up."""

constants.HF_HUB_DISABLE_TELEMETRY = True  # it would tell, and once a day ask, a server that nobody here has chosen

MEANS = (
    "Please check the network, set LIKENESS_HUB to a mirror or HTTPS_PROXY to a proxy, or bring the files yourself "
    "with `likeness models import`."
)


@dataclass(frozen=True)
class RemoteFile:
    """A file on a hub. `digest` is the SHA-256 (64 digits) or, of small files, git's SHA-1 (40); either may be None.

    `bytes` and `revision`, the commit, are None when a hub does not tell them.
    """

    digest: str | None
    bytes: int | None
    revision: str | None


@dataclass(frozen=True)
class ModelHub:
    """The hub at `address`; a silence of `seconds` is its end. Every method raises ModelHubUnavailable."""

    address: str
    seconds: float = ANSWER_SECONDS

    @property
    def shown(self) -> str:
        """Return the address without a password, for people and logs."""
        parts = urlsplit(self.address)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def describe(self, repository: str, revision: str, path: str) -> RemoteFile:
        """Return what the hub says about a file."""
        with self._in_our_words(f"{repository}/{path}"):
            told = get_hf_file_metadata(
                self._url(repository, revision, path), timeout=self.seconds, endpoint=self.address
            )
        return RemoteFile(told.etag, told.size, told.commit_hash)

    def read(self, repository: str, revision: str, path: str, start: int) -> Generator[tuple[int, bytes], None, None]:
        """Yield the bytes of a file from `start` on, each piece with its place in the file.

        A hub that cannot begin in the middle begins at 0. An interruption is a ModelHubUnavailable.
        """
        headers = {"accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
        url = self._url(repository, revision, path)
        with (
            self._in_our_words(f"{repository}/{path}"),
            get_session().stream(
                "GET", url, headers=build_hf_headers() | headers, timeout=self.seconds, follow_redirects=True
            ) as answer,
        ):
            hf_raise_for_status(answer)
            place = start if answer.status_code == httpx2.codes.PARTIAL_CONTENT else 0
            for piece in answer.iter_bytes():
                yield place, piece  # what whoever writes it meets, such as a full disk, does not come in here
                place += len(piece)

    def _url(self, repository: str, revision: str, path: str) -> str:
        if self.address == OFF:
            raise ModelHubUnavailable(
                "Nothing may be downloaded here, because LIKENESS_HUB is off. Please set it to the address of a hub, "
                "or bring the files yourself with `likeness models import`."
            )
        return hf_hub_url(repository, path, revision=revision, endpoint=self.address)

    @contextmanager
    def _in_our_words(self, what: str) -> Iterator[None]:
        try:
            yield
        except HfHubHTTPError as error:
            raise ModelHubUnavailable(
                f"The model hub {self.shown} refuses {what} with status {error.response.status_code}. {MEANS}",
                detail=str(error),
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, FileMetadataError) as error:
            raise ModelHubUnavailable(
                f"The model hub {self.shown} cannot be reached, or the connection broke. {MEANS}",
                detail=f"{what}: {type(error).__name__}: {error}",
            ) from error
        except OfflineModeIsEnabled as error:
            raise ModelHubUnavailable(
                "Nothing may be downloaded here, because HF_HUB_OFFLINE is set. Please unset it, or bring the files "
                "yourself with `likeness models import`.",
                detail=str(error),
            ) from error
        except (ImportError, OSError, ValueError) as error:
            raise ModelHubUnavailable(
                f"The model hub {self.shown} cannot be asked, because a setting cannot be used: that of a proxy "
                "(HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; SOCKS is not understood), of certificates (SSL_CERT_FILE) or "
                "of the token (HF_TOKEN). Please correct it, or bring the files yourself with `likeness models "
                "import`.",
                detail=f"{what}: {type(error).__name__}: {error}",
            ) from error
