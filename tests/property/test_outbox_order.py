"""What an outbox promises its readers, whatever becomes of single messages on their way to a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.alerts import OperationalAlert
from shared.contracts.envelope import Message, SequenceWatch
from shared.contracts.pairs import PairMessage, PairRetired
from shared.contracts.streams import ALERTS, FIELD, PAIRS, Stream
from shared.domain.pair import PairId
from shared.io import outbox as outbox_module
from shared.io.bus import Client, Identity, Lease, Outbox, Profile, connect
from shared.runtime.redis_server import RedisServer
from tests.outboxes import writing
from tests.service.spoiled_link import Fate, SpoiledLink

LEASE = Lease("test:leases", 0, "me:1")
PUT, UNDER_LEASE, ALERT = "put", "under lease", "alert"


class Said(NamedTuple):
    """One message: how it is written, under which key, and whether it empties that."""

    how: str
    key: str
    drops: bool
    push: bool


said = st.builds(
    Said,
    how=st.sampled_from([PUT, UNDER_LEASE, ALERT]),
    key=st.sampled_from(["a", "b", "c"]),
    drops=st.booleans(),
    push=st.booleans(),
)
fates = st.lists(st.sampled_from([Fate.DONE, *Fate]), max_size=24)
MIDDLE_REFUSED = [Said(PUT, "a", drops=False, push=False)] * 4


class Written(NamedTuple):
    """What a server holds in the end."""

    logs: dict[str, list[Message]]
    held: dict[str, PairMessage]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once() -> AsyncIterator[None]:
        while True:
            yield None

    monkeypatch.setattr(outbox_module, "waits_s", at_once)


@asynccontextmanager
async def spoiled(url: str, fates: Iterable[Fate]) -> AsyncIterator[tuple[Outbox, Client]]:
    redis = connect(url, Profile.READER)
    await redis.flushall()
    await redis.hset(LEASE.hash_name, "0", LEASE.holder)
    outbox = Outbox(url, Identity("test", "e1"))
    number_key = outbox._number_key
    outbox._link = SpoiledLink(url, fates, number_key=number_key, leases=LEASE.hash_name, holder=LEASE.holder)
    try:
        async with writing(outbox):
            yield outbox, redis
    finally:
        await redis.aclose()


def alert(alert_id: str) -> OperationalAlert:
    return OperationalAlert(alert_id=alert_id, severity="info", code="c", title="t", happened_ts_ns=0)


async def write(url: str, messages: list[Said], fates: list[Fate]) -> Written:
    async with spoiled(url, fates) as (outbox, redis):
        for number, (how, key, drops, push) in enumerate(messages, start=1):
            retired = PairRetired(pair_id=PairId(key), reason=str(number))
            if how == PUT:
                outbox.put(PAIRS, retired, key=key, drop_key=drops)
            elif how == UNDER_LEASE:
                outbox.put_under_lease(LEASE, [(PAIRS, retired, key, drops)])
            else:
                outbox.put(ALERTS, alert(str(number)))
            if push:
                outbox.push()
                await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await outbox.flushed()
        held = {
            key.decode(): PAIRS.decoder.decode(body) for key, body in (await redis.hgetall(PAIRS.hash_name)).items()
        }
        return Written({stream.name: await log_of(redis, stream) for stream in (PAIRS, ALERTS)}, held)


async def log_of(redis: Client, stream: Stream[Message]) -> list[Message]:
    return [stream.decoder.decode(fields[FIELD]) for _, fields in await redis.xrange(stream.name)]


@settings(max_examples=80)
@given(st.lists(said, min_size=1, max_size=12), fates)
@example(MIDDLE_REFUSED, [Fate.DONE, Fate.REFUSED])
@example(MIDDLE_REFUSED, [Fate.DONE, Fate.REFUSED, Fate.DONE, Fate.DONE, Fate.DONE, Fate.REFUSED])
@example(MIDDLE_REFUSED, [Fate.DONE, Fate.DONE, Fate.UNHEARD])
def test_every_message_is_seen_once_and_in_order_and_the_state_is_the_last_one_said(
    redis_server: RedisServer, messages: list[Said], fates: list[Fate]
) -> None:
    logs, held = asyncio.run(write(redis_server.url, messages, fates))
    for stream, hows in ((PAIRS, (PUT, UNDER_LEASE)), (ALERTS, (ALERT,))):
        watch = SequenceWatch()
        count = sum(one.how in hows for one in messages)
        seen = [message.pseq for message in logs[stream.name] if not watch.is_repeat(stream.name, message)]
        assert seen == list(range(1, count + 1))
        assert watch.lost == 0
        if Fate.FORGOTTEN not in fates:
            assert [message.pseq for message in logs[stream.name]] == seen, "no repeats, for Redis forgot nothing"
    last = {one.key: (str(number), one.drops) for number, one in enumerate(messages, start=1) if one.how != ALERT}
    expected = {key: reason for key, (reason, drops) in last.items() if not drops}
    assert {key: message.reason for key, message in held.items() if isinstance(message, PairRetired)} == expected
