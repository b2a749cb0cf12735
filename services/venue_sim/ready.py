"""The ready file: where the simulator listens and with which key one may talk to it.

It appears in one piece, when every port listens. The RSA key is made for this run, opens nothing but this simulator,
and lies beside the ready file, readable by its owner alone.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.venue_sim.kalshi_rest import REST_PREFIX
from services.venue_sim.kalshi_ws import WS_PATH

KEY_FILE_SUFFIX = ".kalshi-key.pem"
_KEY_BITS = 2_048


@dataclass(frozen=True)
class ThrowAwayKey:
    """A key pair and the id under which the simulated Kalshi knows it."""

    key_id: str
    private_key: RSAPrivateKey

    @classmethod
    def make(cls) -> "ThrowAwayKey":
        """Return a new one."""
        return cls(str(uuid4()), generate_private_key(public_exponent=65_537, key_size=_KEY_BITS))

    @property
    def public_keys(self) -> dict[str, RSAPublicKey]:
        """What the venue knows of it."""
        return {self.key_id: self.private_key.public_key()}

    def write(self, path: Path) -> None:
        """Write the private key as PKCS#8 PEM, mode 0600, in place of whatever was there."""
        pem = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """``host:port`` of each server."""

    kalshi: str
    polymarket: str
    control: str


def key_path(ready_file: Path) -> Path:
    """Return where the key of a ready file lies."""
    return ready_file.with_name(ready_file.name + KEY_FILE_SUFFIX)


def ready_json(addresses: Addresses, *, key_id: str, key_file: Path, seed: int) -> dict[str, Any]:
    """Return the ready file's content."""
    return {
        "kalshi": {
            "rest_url": f"http://{addresses.kalshi}{REST_PREFIX}",
            "ws_url": f"ws://{addresses.kalshi}{WS_PATH}",
            "key_id": key_id,
            "private_key_file": str(key_file),
        },
        "polymarket": {
            "gamma_url": f"http://{addresses.polymarket}/gamma",
            "clob_url": f"http://{addresses.polymarket}",
            "ws_url": f"ws://{addresses.polymarket}/ws/market",
        },
        "control_url": f"http://{addresses.control}",
        "seed": seed,
        "pid": os.getpid(),
    }


def write_ready_file(path: Path, content: dict[str, Any]) -> None:
    """Put the ready file in place in one step."""
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    draft.replace(path)
