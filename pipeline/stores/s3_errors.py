"""What the error codes of S3 services mean to people. Services do not agree on all of them."""

GONE = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})
"""There is no such object."""

UNKNOWN_REQUEST = frozenset({"NotImplemented", "MethodNotAllowed"})
"""The service does not know how to do this."""

THERE_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
"""Somebody else has made the bucket meanwhile."""

DENIED = "AccessDenied"

DOWN = "The object store does not answer. Please try again in a moment."
UNREADABLE = (
    "What answers at the address of the object store is no S3 service, or is in trouble. Please check "
    "LIKENESS_OBJECTS_URL, or try again in a moment."
)
NOT_SAFE = (
    "No safe connection to the object store can be made. Please check its certificate, or write s3+http:// if it is "
    "reached without TLS."
)
NO_CREDENTIALS = (
    "There are no credentials for the object store. Please put KEY:SECRET@ into LIKENESS_OBJECTS_URL, or set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
DAMAGED = "A file came damaged from the object store, several times. Please try again; the log says which."
NO_ROOM_HERE = "A file from the object store could not be kept while it was read. Is the disk for temporary files full?"
NO_BUCKET = "The bucket of the pictures is not there. Please look after the object store, or start again to make it."

_DAMAGED_ON_THE_WAY = "A file was damaged on its way to the object store, which did not keep it. Please try again."
_BUSY = "The object store cannot do its work at the moment. Please try again a little later."
_REFUSED = (
    "The object store refused the credentials, or what they asked for. Please check the key and the secret, what they "
    "allow, and the clock of this machine."
)
_WRONG_CLOCK = "The object store says that the clock of this machine is wrong. Please set it, and try again."
_ELSEWHERE = "The object store says that the bucket is in another region. Please set ?region=… in its address."
_FULL = "The object store is full, or its quota is used up. Please make room there, and try again."

_CODES = {
    _DAMAGED_ON_THE_WAY: ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"),
    NO_BUCKET: ("NoSuchBucket",),
    _WRONG_CLOCK: ("RequestTimeTooSkewed", "RequestExpired"),
    _REFUSED: (
        DENIED,
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "InvalidTokenId",
        "MissingSecurityHeader",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "Unauthorized",
    ),
    _ELSEWHERE: (
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidLocationConstraint",
        "InvalidRegion",
        "PermanentRedirect",
        "Redirect",
        "TemporaryRedirect",
    ),
    _FULL: (
        "InsufficientStorage",
        "QuotaExceeded",
        "ServiceQuotaExceeded",
        "StorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    ),
}
_OF_CODE = {code: sentence for sentence, codes in _CODES.items() for code in codes}
_OF_STATUS = {301: _ELSEWHERE, 307: _ELSEWHERE, 401: _REFUSED, 403: _REFUSED, 507: _FULL}


def sentence_of(code: str, status: int) -> str:
    """Return what to tell about an answer with this code, which may be empty, and this HTTP status."""
    return _OF_CODE.get(code) or _OF_STATUS.get(status, _BUSY)
