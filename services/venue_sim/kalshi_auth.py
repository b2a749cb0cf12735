"""Kalshi's request signatures, checked the way the venue checks them.

The signed text is ``timestamp + METHOD + path``: the whole path including ``/trade-api/v2``, without the query. RSA
keys sign with PSS (SHA-256, salt of the digest's length), Ed25519 keys sign the text itself. The four refusals are
those recorded in the venue's demo environment, June 2026 (Kalshi API reference, 2026-11-21).
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

KEY_HEADER = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER = "KALSHI-ACCESS-SIGNATURE"

DEFAULT_WINDOW_MS = 15_000

_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=SHA256().digest_size)


class Refusal(Enum):
    """Why a request is not authenticated: the code, message and details of the 401's body."""

    SIGNATURE_MISSING = ("signature_is_missing_from_headers", "signature is missing from headers", "")
    TIMESTAMP_EXPIRED = ("header_timestamp_expired", "header timestamp expired", "")
    KEY_UNKNOWN = ("authentication_error", "authentication_error", "NOT_FOUND")
    SIGNATURE_WRONG = ("authentication_error", "authentication_error", "INCORRECT_API_KEY_SIGNATURE")

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """Return the answer's body."""
        code, message, details = self.value
        error = {"code": code, "message": message}
        return {"error": error | ({"details": details} if details else {})}


class Authenticator:
    """Knows the public keys of this environment by key id.

    A timestamp may be ``window_ms`` old or early; the venue's own bound is not published.
    """

    def __init__(
        self,
        keys: Mapping[str, RSAPublicKey | Ed25519PublicKey],
        now_ms: Callable[[], int],
        *,
        window_ms: int = DEFAULT_WINDOW_MS,
    ) -> None:
        self._keys = dict(keys)
        self._now_ms = now_ms
        self._window_ms = window_ms

    def now_ms(self) -> int:
        """Return the time of the venue's clock in Unix milliseconds."""
        return self._now_ms()

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return why the request is refused, None when it is signed properly. ``path`` has no query."""
        signature_text = headers.get(SIGNATURE_HEADER, "")
        if not signature_text:
            return Refusal.SIGNATURE_MISSING
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        if not self._is_in_time(timestamp):
            return Refusal.TIMESTAMP_EXPIRED
        key = self._keys.get(headers.get(KEY_HEADER, ""))
        if key is None:
            return Refusal.KEY_UNKNOWN
        try:
            signature = b64decode(signature_text, validate=True)
        except (Base64Error, ValueError):
            return Refusal.SIGNATURE_WRONG
        text = f"{timestamp}{method}{path}".encode()
        return None if _is_signed(key, signature, text) else Refusal.SIGNATURE_WRONG

    def _is_in_time(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16):
            return False
        return abs(self._now_ms() - int(timestamp)) <= self._window_ms


def _is_signed(key: RSAPublicKey | Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text)
        else:
            key.verify(signature, text, _PSS, SHA256())
    except InvalidSignature:
        return False
    return True
