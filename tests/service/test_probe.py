"""A container's health check tells a feed that beats from one that fell silent."""

import msgspec
import pytest
import redis

from shared.contracts.health import FeedBeat
from shared.contracts.streams import FEED_HEALTH, FIELD
from shared.domain.market import Venue
from shared.runtime.clock import SystemClock
from shared.runtime.probe import OLDEST_BEAT_MS, NotWorking, main, probe


def beat(redis_url: str, *, venue: Venue = Venue.KALSHI, age_ms: int = 0, state: str = "live") -> None:
    message = FeedBeat(
        src="kalshi_feed",
        epoch="e",
        pseq=1,
        venue=venue,
        connection="1",
        state=state,  # type: ignore[arg-type]
        markets=1,
        books_live=1,
        frame_age_ms=0,
        data_age_ms=0,
        sent_ts_ns=SystemClock().now_ns() - age_ms * 1_000_000,
    )
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(FEED_HEALTH.name, {FIELD: msgspec.json.encode(message)})


async def test_a_young_beat_is_health(redis_url: str) -> None:
    beat(redis_url)
    await probe(redis_url, Venue.KALSHI, SystemClock())
    await probe(redis_url, None, SystemClock())


async def test_silence_of_a_venue_is_not_hidden_by_the_other(redis_url: str) -> None:
    beat(redis_url, venue=Venue.POLYMARKET)
    with pytest.raises(NotWorking, match="no beat of the kalshi feed"):
        await probe(redis_url, Venue.KALSHI, SystemClock())


async def test_an_old_beat_is_no_health(redis_url: str) -> None:
    beat(redis_url, age_ms=OLDEST_BEAT_MS + 1_000)
    with pytest.raises(NotWorking, match="ms old"):
        await probe(redis_url, Venue.KALSHI, SystemClock())


async def test_a_feed_that_says_down_is_believed(redis_url: str) -> None:
    beat(redis_url, state="down")
    with pytest.raises(NotWorking, match="connection 1 is down"):
        await probe(redis_url, Venue.KALSHI, SystemClock())


@pytest.mark.parametrize(
    ("arguments", "url", "status", "says"),
    [
        ([], "", 2, "DUTCHBOOK_REDIS_URL is not set"),
        (["nasdaq"], "redis://127.0.0.1:1", 2, "'nasdaq' is not a venue"),
        ([], "redis://127.0.0.1:1", 1, "127.0.0.1:1"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], url: str, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, {"DUTCHBOOK_REDIS_URL": url}) == status
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
