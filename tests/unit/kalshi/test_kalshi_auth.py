"""Signatures that the exchange can verify, keys that are refused with a reason, and the meaning of a 401."""

from base64 import b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from shared.venues.kalshi.auth import AuthFailure, UnusableKey, auth_failure, load_key
from shared.venues.kalshi.rest import ApiError, api_error

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PATH = "/trade-api/ws/v2"
PLAIN: KeySerializationEncryption = NoEncryption()


def pem(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = PLAIN,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_rsa_signature_is_pss_over_time_method_and_full_path(form: PrivateFormat) -> None:
    key = load_key("key-1", pem(RSA_KEY, form))
    signature = b64decode(key.sign(timestamp_ms=1_795_123_456_789, method="get", path=PATH), validate=True)
    pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
    RSA_KEY.public_key().verify(signature, f"1795123456789GET{PATH}".encode(), pss, SHA256())
    with pytest.raises(InvalidSignature):
        RSA_KEY.public_key().verify(signature, b"1795123456789GET/ws/v2", pss, SHA256())


def test_an_ed25519_key_signs_the_same_text() -> None:
    key = load_key("key-2", pem(ED_KEY))
    signature = b64decode(key.sign(timestamp_ms=5, method="GET", path=PATH))
    assert len(signature) == 64
    ED_KEY.public_key().verify(signature, f"5GET{PATH}".encode())


def test_the_headers_name_key_time_and_signature() -> None:
    headers = load_key("key-2", pem(ED_KEY)).headers(timestamp_ms=5, method="GET", path=PATH)
    assert headers["KALSHI-ACCESS-KEY"] == "key-2"
    assert headers["KALSHI-ACCESS-TIMESTAMP"] == "5"
    ED_KEY.public_key().verify(b64decode(headers["KALSHI-ACCESS-SIGNATURE"]), f"5GET{PATH}".encode())


def test_a_query_is_never_signed() -> None:
    key = load_key("key-2", pem(ED_KEY))
    with pytest.raises(AssertionError):
        key.sign(timestamp_ms=5, method="GET", path="/trade-api/v2/markets?limit=5")


def test_a_key_does_not_show_itself() -> None:
    key = load_key("secret-id", pem(ED_KEY))
    assert "secret-id" not in repr(key)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits is too short"),
        (pem(RSA_KEY, encryption=BestAvailableEncryption(b"word")), "encrypted"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
        (b"not a key", "not an unencrypted PEM"),
        (b"", "not an unencrypted PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted PEM"),
    ],
    ids=["short", "encrypted", "curve", "text", "empty", "damaged"],
)
def test_a_key_that_cannot_sign_is_refused_with_the_reason(text: bytes, says: str) -> None:
    with pytest.raises(UnusableKey, match=says):
        load_key("key-1", text)


@pytest.mark.parametrize("key_id", ["", " ", "k\nX-Evil: 1", "ключ"])
def test_a_key_id_that_is_no_header_value_is_refused(key_id: str) -> None:
    with pytest.raises(UnusableKey, match="key id"):
        load_key(key_id, pem(ED_KEY))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            b'{"error":{"code":"not_found","message":"not found","service":"exchange"}}',
            ApiError(status=404, code="not_found", message="not found"),
        ),
        (
            b'{"code":"bad_request","message":"bad request","details":"json"}',
            ApiError(status=404, code="bad_request", message="bad request", details="json"),
        ),
        (b'{"msg":"Parameter validation failed"}', ApiError(status=404, message="Parameter validation failed")),
        (b'{"error":"too many requests"}', ApiError(status=404, message="too many requests")),
        (b"<html>502 Bad Gateway</html>", ApiError(status=404)),
        (b'{"error":{"code":5}}', ApiError(status=404)),
        (b"[" * 100_000, ApiError(status=404)),
        (b"\xff", ApiError(status=404)),
        (b"", ApiError(status=404)),
        (b"null", ApiError(status=404)),
    ],
)
def test_the_four_shapes_of_error_bodies_and_anything_else(body: bytes, error: ApiError) -> None:
    assert api_error(404, body) == error


def test_a_401_without_a_cause_is_unclear() -> None:
    assert auth_failure(api_error(401, b"")) is AuthFailure.UNCLEAR
    assert auth_failure(ApiError(status=401, code="other", details="NOT_FOUND")) is AuthFailure.UNCLEAR
    assert all(failure.remedy for failure in AuthFailure)
