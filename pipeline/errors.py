"""Every deliberate error of Likeness, as one tree.

LikenessError
├─ ImageRejected            the person can mend it by sending something else
│  ├─ UnsupportedFormat
│  ├─ TooManyBytes
│  ├─ TooManyPixels
│  ├─ DamagedImage
│  └─ RefusedByBank         it looks like one of the known pictures that are refused here
├─ NotFound
│  ├─ ImageNotFound
│  ├─ ObjectNotFound
│  ├─ QueryPictureNotFound
│  ├─ LibraryNotFound
│  ├─ PersonNotFound
│  ├─ GroupNotFound
│  │  └─ GroupSettled       somebody was faster
│  └─ LinkNotFound          a link that works once was used, has expired, or never was one
├─ NotLoggedIn              nobody said who asks, or a session, token or password is no good
├─ NotAllowed               who asks may see it, but not do this
├─ TooManyAttempts          too many passwords, or too much at once; `retry_seconds` says when to come back
├─ Conflict                 it cannot be done as things stand: a name is taken, the last owner would be gone
├─ InvalidQuery             a search that cannot be run as asked
│  └─ AddressUnusable       no picture could be fetched from an address; nobody is told why
├─ StoreUnavailable         a database, object store or vector engine did not answer; try again later
├─ ReceiverUnavailable      the receiver of a webhook did not take what was sent; it is sent again
├─ ProviderUnavailable      the provider of single sign-on did not answer; try again later
├─ DecoderUnavailable       no decoder process could be had in time; try again later
├─ ModelUnusable            weights are missing, damaged or of another shape; the operator must act
│  └─ ModelHubUnavailable   the model hub did not answer, or not as one; try again later, or import from a file
└─ ConfigurationError       settings contradict each other or the data; the operator must act

`user_message` is one or two sentences for the person: what happened and what to do. `str(error)` is the same
sentence, with `detail` for the log behind it. HTTP statuses belong to `webapp.errors`.
"""


class LikenessError(Exception):
    """The root of the tree."""

    code = "error"

    def __init__(self, user_message: str, *, detail: str = "") -> None:
        super().__init__(user_message if not detail else f"{user_message} [{detail}]")
        self.user_message = user_message
        self.detail = detail


class ImageRejected(LikenessError):
    code = "image_rejected"


class UnsupportedFormat(ImageRejected):
    code = "unsupported_format"


class TooManyBytes(ImageRejected):
    code = "too_many_bytes"


class TooManyPixels(ImageRejected):
    code = "too_many_pixels"


class DamagedImage(ImageRejected):
    code = "damaged_image"


class RefusedByBank(ImageRejected):
    code = "refused_by_bank"


class NotFound(LikenessError):
    code = "not_found"


class ImageNotFound(NotFound):
    code = "image_not_found"


class ObjectNotFound(NotFound):
    code = "object_not_found"


class QueryPictureNotFound(NotFound):
    code = "query_picture_not_found"


class LibraryNotFound(NotFound):
    code = "library_not_found"


class PersonNotFound(NotFound):
    code = "person_not_found"


class GroupNotFound(NotFound):
    code = "group_not_found"


class GroupSettled(GroupNotFound):
    """Somebody whose decisions the reader may read has settled the group."""

    code = "group_settled"


class LinkNotFound(NotFound):
    code = "link_not_found"


class NotLoggedIn(LikenessError):
    code = "not_logged_in"


class NotAllowed(LikenessError):
    code = "not_allowed"


class TooManyAttempts(LikenessError):
    code = "too_many_attempts"

    def __init__(self, user_message: str, *, retry_seconds: int, detail: str = "") -> None:
        super().__init__(user_message, detail=detail)
        self.retry_seconds = retry_seconds


class Conflict(LikenessError):
    code = "conflict"


class InvalidQuery(LikenessError):
    code = "invalid_query"


class AddressUnusable(InvalidQuery):
    code = "address_unusable"


class StoreUnavailable(LikenessError):
    code = "store_unavailable"


class ReceiverUnavailable(LikenessError):
    code = "receiver_unavailable"


class ProviderUnavailable(LikenessError):
    code = "provider_unavailable"


class DecoderUnavailable(LikenessError):
    code = "decoder_unavailable"


class ModelUnusable(LikenessError):
    code = "model_unusable"


class ModelHubUnavailable(ModelUnusable):
    code = "model_hub_unavailable"


class ConfigurationError(LikenessError):
    code = "configuration_error"


def extra_missing(what: str, extra: str, *, in_image: bool = True) -> str:
    """Return the sentence for `what` cannot be done without the packages of an extra of Likeness.

    `in_image` is whether the container image has them.
    """
    image = ", or use its image," if in_image else ""
    return (
        f"{what} needs the extra `{extra}`. Please run `pip install --editable '.[{extra}]'` in the folder that "
        f"Likeness was cloned into{image} and start again."
    )
