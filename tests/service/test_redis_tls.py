"""``rediss://`` means TLS on the links that carry quotes and intents too: a password never goes out in the clear."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.io.clients import TRANSIENT
from shared.io.resp import RespLink, pack


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "redis.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


@asynccontextmanager
async def answering(*, tls: ssl.SSLContext | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Something that says OK to every command; yields its port and what it was told."""
    told: list[bytes] = []
    conversations: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65_536):
                told.append(data)
                writer.write(b"+OK\r\n" * data.count(b"*"))
        writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.ensure_future(talk(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], told
        await asyncio.gather(*conversations)


async def test_a_link_is_encrypted_and_the_servers_certificate_is_checked(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with answering(tls=context) as (port, told):
        link = RespLink(f"rediss://:hunter2@127.0.0.1:{port}/0?ssl_ca_certs={pem}", timeout_s=5)
        assert await link.ask(pack("PING"), 1) == [b"OK"]
        assert b"hunter2" in b"".join(told)
        assert await link.answer(link.send(pack("PING"), at_once=True)) == [b"OK"]
        link.close()
        told.clear()
        stranger = RespLink(f"rediss://:hunter2@127.0.0.1:{port}/0", timeout_s=5)
        with pytest.raises(TRANSIENT, match="certificate"):
            await stranger.ask(pack("PING"), 1)
        stranger.close()
        assert told == []


async def test_a_server_without_tls_is_not_told_the_password() -> None:
    async with answering(tls=None) as (port, told):
        link = RespLink(f"rediss://:hunter2@127.0.0.1:{port}/0", timeout_s=5)
        with pytest.raises(TRANSIENT):
            await link.ask(pack("PING"), 1)
        link.close()
    assert b"hunter2" not in b"".join(told)
