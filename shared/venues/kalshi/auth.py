"""Signing Kalshi requests and handshakes, and reading why the exchange refused one.

Text to sign: time in milliseconds, then the method, then the full path with ``/trade-api/v2`` and without the
query; no separators. RSA keys sign with RSA-PSS (SHA-256, salt of 32 bytes), Ed25519 keys (accepted since
2026-09-24) sign the same text as it is. Kalshi API reference and official SDK 3.34.0, read 2026-11-21.

Reading the key file belongs to the process; this module gets the PEM text.
"""

from base64 import b64encode
from collections.abc import Callable
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.venues.kalshi.rest import ApiError

SMALLEST_RSA_BITS = 2048
_SALT_BYTES = 32


class UnusableKey(ValueError):
    """A private key that cannot sign for Kalshi; the text says why and what to do, never what the key is."""


class KalshiKey:
    """A private key ready to sign; parsed once, because parsing costs far more than signing."""

    __slots__ = ("_sign", "key_id")

    def __init__(self, key_id: str, sign: Callable[[bytes], bytes]) -> None:
        self.key_id = key_id
        self._sign = sign

    def __repr__(self) -> str:
        return "KalshiKey(…)"

    def sign(self, *, timestamp_ms: int, method: str, path: str) -> str:
        """Return the base64 signature of one request.

        ``path`` is the path of the final URL, ``/trade-api/v2`` included; a query is a caller's bug.
        """
        assert path.startswith("/"), path
        assert "?" not in path, path
        return b64encode(self._sign(f"{timestamp_ms}{method.upper()}{path}".encode())).decode()

    def headers(self, *, timestamp_ms: int, method: str, path: str) -> dict[str, str]:
        """Return the three headers of one attempt; every attempt needs its own."""
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": str(timestamp_ms),
            "KALSHI-ACCESS-SIGNATURE": self.sign(timestamp_ms=timestamp_ms, method=method, path=path),
        }


def load_key(key_id: str, pem: bytes) -> KalshiKey:
    """Return the key in ``pem``: RSA or Ed25519, PKCS#1 or PKCS#8, without a passphrase.

    Raises UnusableKey.
    """
    if not key_id.strip() or not key_id.isascii() or not key_id.isprintable():
        raise UnusableKey("the key id is empty or not plain text; copy it from Kalshi's API keys page")
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise UnusableKey(
            "the private key is encrypted; write an unencrypted copy that only the service may read"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("the private key is not an unencrypted PEM of PKCS#8 or PKCS#1") from None
    if isinstance(key, Ed25519PrivateKey):
        return KalshiKey(key_id, key.sign)
    if isinstance(key, RSAPrivateKey):
        if key.key_size < SMALLEST_RSA_BITS:
            raise UnusableKey(f"an RSA key of {key.key_size} bits is too short; make one of {SMALLEST_RSA_BITS}")
        return KalshiKey(key_id, _rsa_signer(key))
    raise UnusableKey("the private key is neither RSA nor Ed25519; Kalshi accepts only these")


def _rsa_signer(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    padding, digest = PSS(mgf=MGF1(SHA256()), salt_length=_SALT_BYTES), SHA256()
    return lambda text: key.sign(text, padding, digest)


class AuthFailure(StrEnum):
    """Why Kalshi answered 401 (recorded 2026-06-11; the WebSocket handshake answers 401 too)."""

    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    MISSING_SIGNATURE = "missing_signature"
    EXPIRED_TIMESTAMP = "expired_timestamp"
    UNCLEAR = "unclear"

    @property
    def remedy(self) -> str:
        """What the operator should do."""
        return _REMEDIES[self]


_REMEDIES = {
    AuthFailure.BAD_SIGNATURE: "the private key does not belong to the key id: check both settings",
    AuthFailure.UNKNOWN_KEY: "this environment does not know the key id: demo and production keys differ, check"
    " KALSHI_ENV, and whether the key was deleted",
    AuthFailure.MISSING_SIGNATURE: "the signature header was lost on the way: look for a proxy that strips headers",
    AuthFailure.EXPIRED_TIMESTAMP: "this machine's clock is off by more than Kalshi allows: synchronise it (NTP)",
    AuthFailure.UNCLEAR: "Kalshi gave no cause: check the key id, the key file, KALSHI_ENV and the clock",
}


def auth_failure(error: ApiError) -> AuthFailure:
    """Return why a 401 was given, from its body; a body without a cause is UNCLEAR."""
    match (error.code, error.details):
        case ("header_timestamp_expired", _):
            return AuthFailure.EXPIRED_TIMESTAMP
        case ("signature_is_missing_from_headers", _):
            return AuthFailure.MISSING_SIGNATURE
        case (_, "INCORRECT_API_KEY_SIGNATURE"):
            return AuthFailure.BAD_SIGNATURE
        case (_, "NOT_FOUND") if error.code == "authentication_error":
            return AuthFailure.UNKNOWN_KEY
        case _:
            return AuthFailure.UNCLEAR
