"""A private Redis is real, private and gone with its owner; a Redis that cannot be used is named at start."""

import asyncio
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import redis

from shared.runtime import redis_server
from shared.runtime.errors import SettingsRefused
from shared.runtime.redis_server import (
    NoRedisServer,
    RedisServer,
    RedisUnusable,
    check_redis,
    find_redis_server,
    redis_url_or_private,
    start_private_redis,
)
from tests.waiting import eventually


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def facts(server: RedisServer) -> dict[str, object]:
    with redis.Redis.from_url(server.url) as client:
        found = client.info()
    assert isinstance(found, dict)
    return found


@contextmanager
def false_program(folder: Path, name: str, script: str) -> Iterator[dict[str, str]]:
    """A program of that name on an otherwise empty PATH."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    yield {"PATH": str(folder)}


def test_a_private_server_listens_on_a_private_socket_and_on_no_port() -> None:
    with start_private_redis() as server:
        socket_path = Path(server.url.removeprefix("unix://"))
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
        assert stat.S_ISSOCK(socket_path.stat().st_mode)
        said = facts(server)
    assert said["tcp_port"] == 0
    assert said["maxmemory_policy"] == "noeviction"
    assert said["aof_enabled"] == 0
    assert not socket_path.parent.exists()


def test_its_settings_are_those_of_the_reference_configuration() -> None:
    with start_private_redis() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        said = client.config_get("*")
    assert isinstance(said, dict)
    wanted = {"save": "", "maxmemory": "536870912", "maxmemory-clients": "10%", "maxclients": "200", "port": "0"}
    assert {name: said[name] for name in wanted} == wanted
    assert "normal 67108864 16777216 30" in said["client-output-buffer-limit"]


def test_clearing_it_leaves_no_key_in_any_database() -> None:
    with start_private_redis() as server, redis.Redis.from_url(server.url, db=3) as client:
        client.set("a", "1")
        server.clear()
        assert client.dbsize() == 0


def test_what_it_knew_is_gone_unless_a_folder_keeps_it(tmp_path: Path) -> None:
    for folder, kept in ((None, None), (tmp_path, b"1")):
        with start_private_redis(data_folder=folder) as server, redis.Redis.from_url(server.url) as client:
            client.set("a", "1")
        with start_private_redis(data_folder=folder) as server, redis.Redis.from_url(server.url) as client:
            assert client.get("a") == kept


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to see processes end")
@pytest.mark.parametrize("how", ["exit", "SIGKILL"])
def test_it_ends_with_its_owner_however_that_ends(how: str) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from shared.runtime.redis_server import *; import sys\n"
            "server = start_private_redis(); print(server.url, flush=True); sys.stdin.read()",
        ],
        cwd=Path(redis_server.__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            said = client.info("server")
        assert isinstance(said, dict)
        if how == "SIGKILL":
            owner.kill()
    eventually(lambda: not alive(said["process_id"]), within_s=10)
    eventually(lambda: not Path(url.removeprefix("unix://")).parent.exists(), within_s=10)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux alone")
def test_it_ends_even_when_its_keeper_is_killed() -> None:
    server = start_private_redis()
    pid = facts(server)["process_id"]
    assert isinstance(pid, int)
    server._keeper.kill()
    eventually(lambda: not alive(pid), within_s=10)
    server.stop()
    server.stop()


def test_a_server_on_the_path_comes_before_the_one_in_the_wheel(tmp_path: Path) -> None:
    with false_program(tmp_path, "valkey-server", "echo 'Valkey server v=8.1.0 sha=0'") as environ:
        assert find_redis_server(environ) == tmp_path / "valkey-server"


def test_an_old_server_on_the_path_is_passed_over(tmp_path: Path) -> None:
    with false_program(tmp_path, "redis-server", "echo 'Redis server v=6.2.14 sha=0'") as environ:
        assert find_redis_server(environ).parent != tmp_path


def test_without_any_server_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "_bundled_server", lambda: None)
    with (
        false_program(tmp_path, "redis-server", "echo 'Redis server v=6.2.14 sha=0'") as environ,
        pytest.raises(NoRedisServer, match=r"redis-server is 6\.2.*DUTCHBOOK_REDIS_URL") as refused,
    ):
        start_private_redis(environ=environ)
    assert "\n" not in str(refused.value)


def test_a_server_that_ends_at_once_says_why_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(redis_server.tempfile, "tempdir", str(room))
    script = '[ "$1" = --version ] && echo "Redis server v=7.4.0" && exit; echo "out of socks"; exit 3'
    with (
        false_program(tmp_path, "redis-server", script) as environ,
        pytest.raises(NoRedisServer, match="redis-server ended"),
    ):
        start_private_redis(environ=environ)
    assert list(room.iterdir()) == []


def test_a_deep_temporary_folder_does_not_make_the_socket_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(redis_server.tempfile, "tempdir", str(deep))
    with start_private_redis() as server:
        assert len(server.url) < 110
    assert list(deep.iterdir()) == []


def test_a_named_server_is_used_as_it_is() -> None:
    with redis_url_or_private("redis://example.invalid:6379") as url:
        assert url == "redis://example.invalid:6379"
    with redis_url_or_private(None) as url:
        assert Path(url.removeprefix("unix://")).is_socket()


async def test_a_good_server_passes_the_check(redis_url: str) -> None:
    await check_redis(redis_url)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_may_evict_is_refused(policy: str) -> None:
    with start_private_redis() as server, redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", policy)
        with pytest.raises(RedisUnusable, match=f"maxmemory-policy is {policy}.*set maxmemory-policy noeviction"):
            await check_redis(server.url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1/0", "127.0.0.1:1"),
        ("unix:///nonexistent/redis.sock", "/nonexistent/redis.sock"),
        ("redis://user:hunter2@127.0.0.1:1/0", "…@127.0.0.1:1"),
        ("redis://127.0.0.1:1/0?password=hunter2", "127.0.0.1:1/0?…"),
        ("redis://:hunter2@127.0.0.1:1/0", "…@127.0.0.1:1"),
        ("rediss://:hunter2@127.0.0.1:1/0", "…@127.0.0.1:1"),
        ("unix://:hunter2@/nonexistent/redis.sock", "…@/nonexistent/redis.sock"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_refused_in_one_line(url: str, says: str) -> None:
    with pytest.raises(RedisUnusable) as refused:
        await check_redis(url)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("redis://:hun/ter2@h:1/0", "redis://:hunter2/@h:1/0", "redis://:h?unter2@h:1/0", "redis://:hunter2:@h:x/0"),
        *("redis://u:hunter2#@h:1/0", "redis://hunter2:@@h:1x/0", "http://:hunter2@h:1/0", "redis://:[hunter2@h/0"),
    ],
)
async def test_a_password_that_was_written_wrongly_is_not_shown_either(url: str) -> None:
    with pytest.raises((RedisUnusable, SettingsRefused)) as refused:
        await check_redis(url)
    assert "unter2" not in str(refused.value)
    assert "ter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://example.invalid", "localhost:6379", "redis://host:port/0"])
async def test_an_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsRefused, match="DUTCHBOOK_REDIS_URL="):
        await check_redis(url)


@asynccontextmanager
async def answering(
    path: Path, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[str]:
    """Something that takes one connection on a unix socket and is not Redis."""
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    async with await asyncio.start_unix_server(serve, path):
        yield f"unix://{path}"
        await hung_up.wait()


async def test_a_server_that_is_too_old_is_refused_with_its_version(tmp_path: Path) -> None:
    """No server that old can be had everywhere, so this one only says it is; the refusal reads nothing else."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while words := (await reader.readline()).strip():
            if words == b"INFO":
                body = b"redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n"
                writer.write(b"$%d\r\n%b\r\n" % (len(body), body))
            elif words in {b"CLIENT", b"HELLO"}:
                writer.write(b"-ERR unknown command\r\n")

    async with answering(tmp_path / "old.sock", old) as url:
        with pytest.raises(RedisUnusable, match=r"is version 6\.2\.14; 7\.0 or newer is needed"):
            await check_redis(f"{url}?protocol=2")


async def test_a_server_that_accepts_and_says_nothing_is_refused_in_time(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with answering(tmp_path / "mute.sock", mute) as url:
        with pytest.raises(RedisUnusable, match="DUTCHBOOK_REDIS_URL"):
            await check_redis(url, timeout_s=1)
