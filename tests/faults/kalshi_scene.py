"""A real feed behind the spoiler, on markets that somebody has paired, and what can be seen of it from outside."""

import os
import signal
import statistics
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from shared.contracts.alerts import OperationalAlert
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import ALERTS, FEED_HEALTH, FIELD, PAIRS, QUOTES, book_key
from shared.domain.market import Venue
from shared.domain.pair import Pair
from tests.e2e.durable_redis import DurableRedis
from tests.e2e.pipeline import Levels, Pipeline, levels_of
from tests.e2e.pipeline import ask as ask_url
from tests.faults.kalshi_proxy import Connection, Frame, Proxy
from tests.pairs import made_up_pair
from tests.waiting import eventually

PAIRED = 8
PROVEN_S = 1
"""How long a link of the feed must hold until the pauses between dials start small again."""
FULL = os.environ.get("DUTCHBOOK_FULL_FAULTS") == "1"
"""Whether faults last as long as in the catalogue and are repeated for a percentile: minutes instead of seconds."""


class Bench:
    """A feed behind a proxy."""

    def __init__(self, pipe: Pipeline, proxy: Proxy, redis_server: DurableRedis, tickers: list[str]) -> None:
        self.pipe = pipe
        self.proxy = proxy
        self.redis_server = redis_server
        self.pairs = [self.pair(ticker) for ticker in tickers]

    def pair(self, ticker: str) -> Pair:
        pair = made_up_pair(f"{ticker}~x", kalshi=ticker, polymarket="0x1")
        payload = msgspec.json.encode(PairActivated(pair=pair))
        self.pipe.redis.hset(PAIRS.hash_name, pair.pair_id, payload)
        self.pipe.redis.xadd(PAIRS.name, {FIELD: payload})
        return pair

    def start_feed(self, **environ: str) -> None:
        self.pipe.start(
            "kalshi_feed",
            KALSHI_REST_URL=self.proxy.rest_url,
            KALSHI_WS_URL=self.proxy.ws_url,
            KALSHI_FEED_DEPTH="60",
            KALSHI_FEED_STATUS_S="1",
            KALSHI_FEED_AUDIT_S="2",
            KALSHI_FEED_PROBE_S="1",
            KALSHI_FEED_SILENT_S="5",
            KALSHI_FEED_ACK_S="4",
            KALSHI_FEED_PROVEN_S=str(PROVEN_S),
            **environ,
        )

    def restart_feed(self, **environ: str) -> None:
        feed = self.pipe.runs["kalshi_feed"]
        feed.tell(signal.SIGTERM)
        assert feed.ends() == 0, feed.stderr
        since_ns = time.time_ns()
        self.start_feed(**environ)
        self.wait_equal(since_ns=since_ns)

    def wait_proven(self) -> None:
        """Wait until the next loss of the link is followed by the shortest pause."""
        eventually(lambda: time.monotonic() - self.proxy.dials_s[-1] > PROVEN_S + 0.3)

    def wait_calm(self) -> None:
        """Wait until no book was lost for two seconds: from then on a lost book is asked for at once again."""
        struck_ns = max(self.proxy.struck_ns, default=0)
        eventually(lambda: time.time_ns() - struck_ns > 2_200_000_000)

    def truth(self, ticker: str) -> Levels:
        url = self.pipe.simulator["kalshi"]["rest_url"]
        sides = ask_url(f"{url}/markets/{ticker}/orderbook")["orderbook_fp"]
        bids = {("bid", Decimal(price)): Decimal(size) for price, size in sides["yes_dollars"]}
        return bids | {("ask", 1 - Decimal(price)): Decimal(size) for price, size in sides["no_dollars"]}

    def quote(self, pair: Pair) -> Quote | None:
        return self.pipe.quote(Venue.KALSHI, pair.kalshi_ticker, pair.partition)

    def epochs(self) -> set[str]:
        return {quote.epoch for quote in map(self.quote, self.pairs) if quote is not None}

    def word(self, pair: Pair) -> Quote | QuotesStale | None:
        payload = self.pipe.redis.get(book_key(Venue.KALSHI, pair.kalshi_ticker, pair.partition))
        return QUOTES[Venue.KALSHI][pair.partition].decoder.decode(payload) if payload else None

    def wait_equal(self, *, since_ns: int = 0, within_s: float = 40.0) -> None:
        """Wait until each market, at some moment, is quoted exactly as the simulator has it."""
        for pair in self.pairs:

            def equal(pair: Pair = pair) -> bool:
                quote = self.quote(pair)
                fresh = quote is not None and quote.published_ts_ns > since_ns
                return fresh and quote is not None and levels_of(quote) == self.truth(pair.kalshi_ticker)

            eventually(equal, within_s=within_s, what=lambda pair=pair: (self.word(pair), self.feed_log))

    def said_since(self, since_ns: int) -> list[Quote | QuotesStale]:
        found: list[Quote | QuotesStale] = []
        for stream in QUOTES[Venue.KALSHI]:
            entries = self.pipe.redis.xrange(stream.name, min=str(since_ns // 1_000_000))
            found += [stream.decoder.decode(fields[FIELD]) for _, fields in entries]
        return sorted((one for one in found if one.published_ts_ns >= since_ns), key=lambda one: one.published_ts_ns)

    def quotes_since(self, since_ns: int) -> list[Quote]:
        return [one for one in self.said_since(since_ns) if isinstance(one, Quote)]

    def stale_since(self, since_ns: int) -> list[QuotesStale]:
        return [one for one in self.said_since(since_ns) if isinstance(one, QuotesStale)]

    def wait_stale(self, since_ns: int, *, count: int = 1) -> list[QuotesStale]:
        return eventually(
            lambda: found if len(found := self.stale_since(since_ns)) >= count else [], what=lambda: self.feed_log
        )

    def alerts(self, code: str) -> list[OperationalAlert]:
        entries = [ALERTS.decoder.decode(fields[FIELD]) for _, fields in self.pipe.redis.xrange(ALERTS.name)]
        return [alert for alert in entries if alert.code == code]

    def beats_since(self, since_ns: int) -> list[FeedBeat]:
        entries = self.pipe.redis.xrange(FEED_HEALTH.name, min=str(since_ns // 1_000_000))
        return [FEED_HEALTH.decoder.decode(fields[FIELD]) for _, fields in entries]

    def recovered_ns(self, since_ns: int) -> int:
        """Wait until every market was quoted after ``since_ns`` and return when the last one was."""

        def last_ns() -> int:
            firsts: dict[str, int] = {}
            for one in self.quotes_since(since_ns):
                firsts.setdefault(one.market_id, one.published_ts_ns)
            return max(firsts.values()) if len(firsts) == len(self.pairs) else 0

        return eventually(last_ns, what=lambda: self.feed_log)

    def resident_mib(self) -> int:
        """Return how much memory the feed holds."""
        status = Path(f"/proc/{self.pipe.runs['kalshi_feed'].process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) // 1024

    @property
    def feed_log(self) -> str:
        return self.pipe.runs["kalshi_feed"].stderr[-3_000:]


def delta(ticker: str, price: str, change: str, *, side: str = "yes") -> Frame:
    body = {"market_ticker": ticker, "market_id": "x", "price_dollars": price, "delta_fp": change, "side": side}
    return {"type": "orderbook_delta", "msg": {**body, "ts": f"{time.time_ns()}", "ts_ms": time.time_ns() // 1_000_000}}


def skipped(_connection: Connection, _frame: Frame) -> list[Frame]:
    return []


def on_the_other_scale(_connection: Connection, frame: Frame) -> list[Frame]:
    """Turn the prices of side ``no`` round, as an exchange does that takes no notice of ``use_yes_price``."""
    body = frame.get("msg")
    if frame["type"] == "orderbook_snapshot" and "no_dollars_fp" in body:
        body["no_dollars_fp"] = [[f"{1 - Decimal(price):.4f}", size] for price, size in body["no_dollars_fp"]]
    if frame["type"] == "orderbook_delta" and body["side"] == "no":
        body["price_dollars"] = f"{1 - Decimal(body['price_dollars']):.4f}"
    return [frame]


def reset_mid_frame(connection: Connection) -> None:
    assert connection.transport is not None
    connection.transport.write(b'\x81\x7e\x10\x00{"type":"orderbook_delta"')
    connection.transport.abort()


def p95_ms(what: str, took_ms: list[float]) -> float:
    """Say what was measured and return the 95th percentile."""
    ordered = sorted(took_ms)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    print(f"{what}: n={len(ordered)} median {statistics.median(ordered):.0f} ms, p95 {p95:.0f} ms")  # noqa: T201
    return p95
