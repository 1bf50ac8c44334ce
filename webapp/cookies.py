"""Signed texts for cookies: whoever changes one cannot sign it anew, so it is refused without asking the database."""

import hashlib
import hmac

from itsdangerous import BadSignature, URLSafeTimedSerializer


class Signer:
    """Seals values with the key that all processes of an installation share.

    `purpose` keeps apart what is sealed for different ends: a value sealed for one is none for another.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def seal(self, value: object, purpose: str) -> str:
        """Return a value of JSON as signed text, which is readable but cannot be changed."""
        return str(self._serializer(purpose).dumps(value))

    def unseal(self, text: str, purpose: str, max_age_seconds: float) -> object | None:
        """Return the value that was sealed, or None when the text is not ours, was changed, or is too old."""
        try:
            value: object = self._serializer(purpose).loads(text, max_age=int(max_age_seconds))
        except BadSignature:
            return None
        return value

    def mark(self, text: str, purpose: str) -> str:
        """Return what only who has the key can tell of `text`, as 64 hex digits; always the same."""
        return hmac.new(self._key.encode(), f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._key, salt=f"likeness.{purpose}", signer_kwargs={"digest_method": hashlib.sha256}
        )
