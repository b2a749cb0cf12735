"""The feed's settings refuse what must not run, its catalog says only what changed, and its listing never lies."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.kalshi_feed.beat import beat
from services.kalshi_feed.core import catalog_changes
from services.kalshi_feed.discovery import Discovery, ListingFailed
from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.main import main
from services.kalshi_feed.rest_client import RestClient
from services.kalshi_feed.settings import Settings
from services.kalshi_feed.skew import ClockSkew
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.domain.fees import KalshiFees
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.io.bus import Identity, Outbox
from shared.io.http import HttpClient
from shared.io.websocket import Unauthorised
from shared.runtime.clock import SystemClock
from shared.runtime.errors import SettingsRefused
from shared.runtime.feed import QuoteSource
from shared.runtime.lag import LagGauge
from shared.runtime.run import run
from shared.runtime.settings import read_settings
from shared.testing.clock import FakeClock
from shared.venues.kalshi.limits import AccountLimits, BucketLimit, EndpointCosts, RateLimits
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import A, B, delta, error, snapshot, subscribed
from tests.waiting import until

NO_REDIS = {"DUTCHBOOK_REDIS_URL": "unix:///nowhere"}


def settings(**variables: str) -> Settings:
    return read_settings(Settings, NO_REDIS | variables, prefix="kalshi_feed")


def test_the_defaults_are_the_demo_environment() -> None:
    assert settings().rest_base == "https://external-api.demo.kalshi.co/trade-api/v2"
    assert settings().websocket == "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2"
    assert settings(KALSHI_ENV="prod").rest_base == "https://external-api.kalshi.com/trade-api/v2"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"KALSHI_ENV": "live"}, "KALSHI_ENV"),
        ({"KALSHI_DEMO_KEY_ID": "a", "KALSHI_PROD_KEY_FILE": "b"}, "one environment only"),
        ({"KALSHI_WS_URL": "wss://external-api-ws.kalshi.com/trade-api/ws/v2"}, "KALSHI_ENV=demo"),
        ({"KALSHI_ENV": "prod", "KALSHI_REST_URL": "http://127.0.0.1:1/trade-api/v2"}, "only KALSHI_ENV=demo"),
        ({"KALSHI_FEED_DEPTH": "0"}, "KALSHI_FEED_DEPTH=0"),
        ({"KALSHI_FEED_CHUNK": "many"}, "KALSHI_FEED_CHUNK='many'"),
    ],
)
def test_settings_that_must_not_run_are_refused_by_name(variables: Mapping[str, str], says: str) -> None:
    with pytest.raises(SettingsRefused, match=says):
        settings(**variables)


def test_half_a_key_is_refused_with_both_variables(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # a service takes over the process's log
    assert run("kalshi_feed", Settings, main, environ=NO_REDIS | {"KALSHI_DEMO_KEY_ID": "id"}) == 2
    [line] = [line for line in capfd.readouterr().err.splitlines() if line.startswith("kalshi_feed:")]
    assert "KALSHI_DEMO_KEY_ID" in line
    assert "KALSHI_DEMO_KEY_FILE" in line


def test_without_a_key_there_is_none() -> None:
    assert settings().key() is None


def write_key(path: Path, *, mode: int = 0o600) -> Path:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    path.chmod(mode)
    return path


def test_a_key_is_read_from_a_private_file(tmp_path: Path) -> None:
    path = write_key(tmp_path / "key.pem")
    assert settings(KALSHI_DEMO_KEY_ID="id", KALSHI_DEMO_KEY_FILE=str(path)).key() is not None


def damage_mode(path: Path) -> Path:
    path.chmod(0o640)
    return path


def damage_symlink(path: Path) -> Path:
    link = path.with_name("link.pem")
    link.symlink_to(path)
    return link


def damage_text(path: Path) -> Path:
    path.write_text("no key at all")
    return path


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_mode, "chmod 600"),
        (damage_symlink, "symlink"),
        (damage_text, "not an unencrypted PEM"),
        (lambda path: path.parent, "not a regular file"),
        (lambda path: path.with_name("absent.pem"), "No such file"),
    ],
)
def test_an_unsafe_or_useless_key_file_is_refused(tmp_path: Path, damage: Callable[[Path], Path], says: str) -> None:
    path = damage(write_key(tmp_path / "key.pem"))
    with pytest.raises(SettingsRefused, match=says) as refusal:
        settings(KALSHI_DEMO_KEY_ID="id", KALSHI_DEMO_KEY_FILE=str(path)).key()
    assert "KALSHI_DEMO_KEY_FILE" in str(refusal.value)


def market(ticker: str = A, **fields: Any) -> Market:
    fees = KalshiFees(fee_type="quadratic", multiplier=Decimal(1), effective_from=date(2026, 11, 21), source="first")
    terms: dict[str, Any] = {
        "venue": Venue.KALSHI,
        "market_id": MarketId(ticker),
        "event_id": "E",
        "title": "Will it?",
        "status": MarketStatus.OPEN,
        "price_steps": (PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),),
        "size_step_contracts": Decimal("0.01"),
        "min_contracts": Decimal("0.01"),
        "fees": fees,
    }
    return Market(**(terms | fields))


def test_the_catalog_hears_only_of_differences() -> None:
    known = {A: market(A), B: market(B)}
    changed = market(A, title="Will it really?", updated_ts_ms=5)
    [message] = catalog_changes(known, [changed, market(B, updated_ts_ms=7)], complete=True)
    assert isinstance(message, MarketChanged)
    assert message.changed == ("title", "updated_ts_ms")


def test_reading_the_same_fees_on_another_day_is_no_news() -> None:
    again = KalshiFees(
        fee_type="quadratic", multiplier=Decimal("1.0"), effective_from=date(2026, 11, 22), source="later"
    )
    assert catalog_changes({A: market(A)}, [market(A, fees=again)], complete=True) == []
    half = msgspec.structs.replace(again, multiplier=Decimal("0.5"))
    [message] = catalog_changes({A: market(A)}, [market(A, fees=half)], complete=True)
    assert isinstance(message, MarketChanged)
    assert message.changed == ("fees",)
    assert message.market.fees == half


def test_what_is_over_or_gone_is_closed() -> None:
    known = {A: market(A), B: market(B)}
    over = market(A, status=MarketStatus.SETTLED)
    messages = catalog_changes(known, [over, market("NEW", status=MarketStatus.CLOSED)], complete=True)
    assert [
        (type(message), message.market_id, message.reason) for message in messages if isinstance(message, MarketClosed)
    ] == [
        (MarketClosed, A, "status settled"),
        (MarketClosed, B, "not listed any more"),
    ]
    assert len(messages) == 2
    assert catalog_changes(known, [market(A)], complete=False) == []


def test_a_market_listed_twice_is_one_market() -> None:
    assert catalog_changes({}, [market(A), market(A, title="other")], complete=True) == [MarketListed(market=market(A))]


def page(*tickers: str, cursor: str = "") -> dict[str, Any]:
    markets = [{"ticker": t, "event_ticker": "E", "status": "active", "title": "Will it?"} for t in tickers]
    return {"events": [{"event_ticker": "E", "series_ticker": "S", "markets": markets}], "cursor": cursor}


SERIES = {"ticker": "S", "fee_type": "quadratic", "fee_multiplier": 1}


class Listing:
    """Answers of a little REST server, by path; each is used once, the last for ever."""

    def __init__(self, **answers: list[Any]) -> None:
        self.asked: list[str] = []
        self._answers = answers
        app = web.Application()
        app.router.add_get("/trade-api/v2/{what}", self._answer)
        app.router.add_get("/trade-api/v2/series/{one}", self._one_series)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        what = request.match_info["what"]
        self.asked.append(f"{what}?{request.query.get('cursor', '')}")
        answers = self._answers[what]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, int):
            return web.Response(status=answer, text='{"error":"too many requests"}')
        return web.json_response(answer)

    async def _one_series(self, request: web.Request) -> web.Response:
        self.asked.append(f"series/{request.match_info['one']}")
        return web.json_response({"series": SERIES})


def rest_client(http: HttpClient) -> RestClient:
    """A client without pauses."""
    plenty = BucketLimit(1_000_000, 1_000_000)
    allowed = RateLimits(AccountLimits(read=plenty, write=plenty), EndpointCosts(), now_ns=0)
    return RestClient(http, SystemClock(), allowed=allowed, jitter=_NoJitter(), skew=ClockSkew(lambda _off_ms: None))


async def refreshed(listing: Listing, *, rounds: int = 1) -> Discovery:
    outbox = Outbox("unix:///nowhere", Identity("kalshi_feed", "e"))
    async with listing.server, HttpClient(str(listing.server.make_url("/trade-api/v2"))) as client:
        discovery = Discovery(
            rest_client(client),
            outbox,
            FakeClock(),
            page_pause_s=0,
            fee_precision_dollars=Decimal("0.0001"),
        )
        try:
            for _ in range(rounds):
                await discovery.refresh()
        except ListingFailed as failed:
            discovery.failed = str(failed)  # type: ignore[attr-defined]
    return discovery


class _NoJitter(Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.0


async def test_all_pages_are_read_and_the_series_once() -> None:
    listing = Listing(events=[page("A", cursor="c1"), page("B", cursor="c2"), page("C")], series=[{"series": [SERIES]}])
    discovery = await refreshed(listing)
    assert set(discovery.known) == {"A", "B", "C"}
    assert all(isinstance(market.fees, KalshiFees) for market in discovery.known.values())
    assert listing.asked == ["events?", "events?c1", "events?c2", "series?"]


async def test_a_refused_page_is_asked_for_again() -> None:
    listing = Listing(events=[429, 503, page("A")], series=[{"series": [SERIES]}])
    assert set((await refreshed(listing)).known) == {"A"}


async def test_pages_in_a_circle_leave_the_catalog_alone() -> None:
    listing = Listing(events=[page("A", cursor="c1")], series=[{"series": []}])
    discovery = await refreshed(listing)
    assert discovery.known == {}
    assert "came a second time" in discovery.failed  # type: ignore[attr-defined]


async def test_a_listing_that_fails_midway_closes_nothing() -> None:
    listing = Listing(events=[page("A"), page("B", cursor="c1"), 400], series=[{"series": [SERIES]}])
    discovery = await refreshed(listing, rounds=2)
    assert set(discovery.known) == {"A"}
    assert "400" in discovery.failed  # type: ignore[attr-defined]


async def test_without_the_list_of_series_the_needed_ones_are_read() -> None:
    listing = Listing(events=[page("A")], series=[404])
    discovery = await refreshed(listing)
    assert isinstance(discovery.known[MarketId("A")].fees, KalshiFees)
    assert listing.asked == ["events?", "series?", "series/S"]


class Noted:
    """A publisher that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[MarketId, ...]]] = []

    def mark(self, source: QuoteSource, market_id: MarketId) -> None:
        self.said.append(("mark", (market_id,)))

    def stale(self, market_ids: Any, reason: str) -> None:
        self.said.append(("stale", tuple(market_ids)))


class Script:
    """A link that gives the frames of a list, then none; what is sent is kept."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self.sent: list[dict[str, Any]] = []
        self.read = asyncio.Event()

    async def receive(self) -> list[bytes]:
        if self._frames:
            frames, self._frames = self._frames, []
            return frames
        self.read.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def ping(self) -> "asyncio.Future[float]":
        return asyncio.get_running_loop().create_future()


def live_books(
    publisher: Noted, alerts: list[str], *, clock: FakeClock | None = None, session: KalshiSession | None = None
) -> LiveBooks:
    return LiveBooks(
        session or KalshiSession([A, B]),
        publisher,
        clock or FakeClock(),
        alert=lambda code, title, detail: alerts.append(f"{code}: {title} {detail}"),
        name="e",
        silent_s=25,
    )


async def test_frames_that_came_together_are_settled_together() -> None:
    publisher = Noted()
    books = live_books(publisher, [])
    link = Script([subscribed(), snapshot(1, A), snapshot(2, B), delta(3, A), delta(4, A, price="0.4800")])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    await until(lambda: len(publisher.said) == 3)
    assert publisher.said == [("mark", (A,)), ("mark", (B,)), ("mark", (A,))]
    state = books.quote_state(A)
    assert state is not None
    assert (state.sequence, state.connection, state.verified) == (4, "e-1", "sequence")
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk
    books.lost("gone")
    assert publisher.said[-1] == ("stale", (A, B))
    assert books.quote_state(A) is None
    assert beat(books, FakeClock(), quotes=0).state == "down"


async def test_an_unusable_link_is_given_up_with_its_reason() -> None:
    books = live_books(Noted(), [])
    link = Script([subscribed(), snapshot(1, A), delta(2, A), delta(3, A), delta(1, A)])
    with pytest.raises(ConnectionError, match="went back from seq 3 to 1"):
        await books.talk(link)  # type: ignore[arg-type]


async def test_a_silent_link_is_given_up() -> None:
    clock = FakeClock()
    books = live_books(Noted(), [], clock=clock)
    link = Script([subscribed()])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    await until(lambda: books.data_s is not None)
    clock.advance(ms=25_500)
    with pytest.raises(ConnectionError, match="no frame and no pong for 25 s"):
        await talk


async def test_a_refused_market_is_stale_and_reported() -> None:
    publisher, alerts = Noted(), list[str]()
    books = live_books(publisher, alerts)
    link = Script([error(11, command=1, tickers=[B]), subscribed(), snapshot(1, A)])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    assert ("stale", (B,)) in publisher.said
    assert alerts == ["kalshi_feed.market_refused: Kalshi refuses to stream 1 markets KXDEMO-B"]
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk


async def test_the_second_401_in_a_row_alerts_with_the_remedy_and_the_third_is_silent() -> None:
    alerts: list[str] = []
    books = live_books(Noted(), alerts)
    refusal = Unauthorised('{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}')
    books.unauthorised(refusal)
    assert alerts == []
    books.unauthorised(refusal)
    books.unauthorised(refusal)
    [alert] = alerts
    assert "expired_timestamp" in alert
    assert "clock" in alert


def test_lag_is_what_exceeds_the_least_delay_seen() -> None:
    gauge = LagGauge()
    for delay_ms, lag_ms in [(-60_000, 0), (-59_000, 1_000), (-60_500, 0), (-60_400, 100)]:
        gauge.saw(delay_ms)
        assert gauge.lag_ms == lag_ms


async def test_a_link_on_which_frames_come_late_for_two_seconds_is_given_up() -> None:
    clock = FakeClock()
    books = live_books(Noted(), [], clock=clock)
    first_ms = clock.now_ms()
    link = Script([subscribed(), snapshot(1, A), delta(2, A, ts="1", ts_ms=first_ms)])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    await until(lambda: books.data_s is not None)
    for number in range(1, 10):
        clock.advance(ms=700)
        books.frames += 1
        books.session.receive(delta(2 + number, A, ts=str(number), ts_ms=first_ms - 2_000), clock.now_ns())
        books.session.settle()
        await asyncio.sleep(0.15)  # the attendant looks ten times a second
        if talk.done():
            break
    with pytest.raises(ConnectionError, match="ms late"):
        await talk
