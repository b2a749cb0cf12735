"""A Redis with a password: it comes from a file, opens every kind of connection, and is in no message."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import redis

from shared.contracts.alerts import OperationalAlert
from shared.contracts.streams import ALERTS
from shared.io.bus import Identity, Outbox, Profile, StreamTail, connect
from shared.runtime.errors import SettingsRefused
from shared.runtime.probe import main as probe
from shared.runtime.redis_address import redis_url_in, without_password
from shared.runtime.redis_server import RedisUnusable, check_redis
from tests.outboxes import writing
from tests.waiting import until

PASSWORD = "h/unt@er:2?#%"


@pytest.fixture
def locked(redis_url: str) -> Iterator[str]:
    """The test's own server, which asks for a password meanwhile."""
    with redis.Redis.from_url(redis_url) as admin:
        admin.config_set("requirepass", PASSWORD)
        try:
            yield redis_url
        finally:
            admin.config_set("requirepass", "")


def environ(folder: Path, url: str, password: str = PASSWORD) -> dict[str, str]:
    path = folder / "redis_password"
    path.write_text(f"{password}\n")
    path.chmod(0o600)
    return {"DUTCHBOOK_REDIS_URL": url, "DUTCHBOOK_REDIS_PASSWORD_FILE": str(path)}


async def test_every_kind_of_connection_opens_with_it(locked: str, tmp_path: Path) -> None:
    url = redis_url_in(environ(tmp_path, locked))
    await check_redis(url)
    async with asyncio.timeout(20), writing(Outbox(url, Identity("test", "e1"))) as outbox:
        outbox.put(ALERTS, OperationalAlert(alert_id="a", severity="info", code="c", title="t", happened_ts_ns=1))
        await outbox.flushed()
        async with aclosing(StreamTail(url, ALERTS, "0-0").batches(asyncio.Event())) as batches:
            messages = await anext(batches)
    assert messages[0].alert_id == "a"
    client = connect(url, Profile.READER)
    assert await client.ping()
    await client.aclose()
    assert await asyncio.to_thread(probe, [], environ(tmp_path, locked)) == 0


@pytest.mark.parametrize("password", ["", "wrong-one"])
async def test_without_the_right_one_every_service_is_refused_and_shows_none(
    locked: str, tmp_path: Path, password: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    given = environ(tmp_path, locked, password) if password else {"DUTCHBOOK_REDIS_URL": locked}
    url = redis_url_in(given)
    with pytest.raises(RedisUnusable) as refused:
        await check_redis(url)
    assert await asyncio.to_thread(probe, [], given) == 1
    with caplog.at_level(logging.DEBUG):
        async with writing(Outbox(url, Identity("test", "e1"))) as outbox:
            outbox.put(ALERTS, OperationalAlert(alert_id="a", severity="info", code="c", title="t", happened_ts_ns=1))
            await until(lambda: "outbox.waiting" in caplog.messages)
    said = [str(refused.value), capsys.readouterr().err, *(str(vars(record)) for record in caplog.records)]
    assert not [text for text in said if "wrong-one" in text or PASSWORD in text]


def test_the_password_is_put_where_it_belongs_in_any_address(tmp_path: Path) -> None:
    addresses = ["redis://host:6379/0", "redis://user@host:6379/0", "rediss://host", "unix:///run/redis.sock"]
    for address in addresses:
        url = redis_url_in(environ(tmp_path, address))
        options = redis.connection.parse_url(url)
        assert options["password"] == PASSWORD
        assert options.get("username") == ("user" if "user" in address else None)
        assert without_password(url).endswith(address.partition("://")[2].rpartition("@")[2])
        assert PASSWORD not in without_password(url)


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@h/0", "redis://u:hunter2@h/0", "redis://h/0?password=hunter2", "host"]
)
def test_a_second_password_or_no_address_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsRefused, match="DUTCHBOOK_REDIS_PASSWORD_FILE") as refused:
        redis_url_in(environ(tmp_path, url))
    assert "hunter2" not in str(refused.value)


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    given = environ(tmp_path, "redis://host/0")
    Path(given["DUTCHBOOK_REDIS_PASSWORD_FILE"]).chmod(0o644)
    with pytest.raises(SettingsRefused, match=r"DUTCHBOOK_REDIS_PASSWORD_FILE.*chmod 600"):
        redis_url_in(given)
