"""The pipeline in pieces: the simulator and any services as processes on one Redis, each with its own output."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import redis

from services.cli.simulated import write_mappings
from services.cli.stack import SERVICES
from shared.contracts import streams
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote
from shared.domain.market import Market, Venue
from shared.domain.pair import Pair
from shared.runtime.redis_server import start_private_redis
from tests.e2e.processes import Run, clean_environ, running, short_folder
from tests.waiting import GRACE_S, eventually

HTTP = build_opener(ProxyHandler({}))
Levels = dict[tuple[str, Decimal], Decimal]
"""Size by side ("bid" or "ask", both of YES) and price."""


def ask(url: str, body: object = None) -> Any:
    """Return the JSON of an answer with status 200."""
    request = Request(url, data=None if body is None else json.dumps(body).encode())
    with HTTP.open(request, timeout=GRACE_S) as answer:
        return json.loads(answer.read())


class Pipeline:
    """Processes that share a Redis and a simulator."""

    def __init__(self, folder: Path, redis_url: str, stack: ExitStack) -> None:
        self.folder = folder
        self.redis = redis.Redis.from_url(redis_url)
        self.runs: dict[str, Run] = {}
        self.environ = {"DUTCHBOOK_REDIS_URL": redis_url, "DUTCHBOOK_ACCOUNT": "test"}
        self.simulator: Any = None
        self._stack = stack
        stack.callback(self.redis.close)

    def start(self, service: str, **environ: str) -> Run:
        """Start one service."""
        folder = self.folder / service
        run = running(f"services.{service}", folder=folder, **{**self.environ, **environ})
        self.runs[service] = self._stack.enter_context(run)
        return self.runs[service]

    def start_simulator(self, **environ: str) -> None:
        """Start both venues and point every later service at them."""
        ready = self.folder / "simulator.json"
        run = self.start("venue_sim", VENUE_SIM_READY_FILE=str(ready), **environ)
        eventually(lambda: ready.exists() or run.process.poll() is not None)
        assert ready.exists(), run.stderr
        found = self.simulator = json.loads(ready.read_text())
        self.environ |= {
            "KALSHI_ENV": "demo",
            "KALSHI_DEMO_KEY_ID": found["kalshi"]["key_id"],
            "KALSHI_DEMO_KEY_FILE": found["kalshi"]["private_key_file"],
            "KALSHI_REST_URL": found["kalshi"]["rest_url"],
            "KALSHI_WS_URL": found["kalshi"]["ws_url"],
            "POLYMARKET_GAMMA_URL": found["polymarket"]["gamma_url"],
            "POLYMARKET_CLOB_URL": found["polymarket"]["clob_url"],
            "POLYMARKET_WS_URL": found["polymarket"]["ws_url"],
        }

    def control(self, path: str, body: object = None) -> Any:
        """Ask the simulator's own door."""
        return ask(self.simulator["control_url"] + path, body)

    def catalog(self, venue: Venue) -> dict[str, Market]:
        """Return the listed markets."""
        entries = self.redis.hvals(streams.CATALOG[venue].hash_name)
        messages = [streams.CATALOG[venue].decoder.decode(entry) for entry in entries]
        markets = [message.market for message in messages if hasattr(message, "market")]
        return {market.market_id: market for market in markets}

    def live_pairs(self) -> list[Pair]:
        """Return the pairs that are live."""
        messages = [streams.PAIRS.decoder.decode(entry) for entry in self.redis.hvals(streams.PAIRS.hash_name)]
        return [message.pair for message in messages if isinstance(message, PairActivated)]

    def quote(self, venue: Venue, market_id: str, part: int) -> Quote | None:
        """Return a market's latest quote; None when there is none or it is withdrawn."""
        payload = self.redis.get(streams.book_key(venue, market_id, part))
        message = streams.QUOTES[venue][part].decoder.decode(payload) if payload else None
        return message if isinstance(message, Quote) else None

    def books(self, venue: Venue, pairs: list[Pair]) -> dict[str, Levels | None]:
        """Return the latest book of each pair's market, None where nothing can be believed."""
        quotes = {pair.market_id(venue): self.quote(venue, pair.market_id(venue), pair.partition) for pair in pairs}
        return {market_id: None if quote is None else levels_of(quote) for market_id, quote in quotes.items()}

    def beat(self, venue: Venue) -> FeedBeat | None:
        """Return a feed's newest beat."""
        entries = self.redis.xrevrange(streams.FEED_HEALTH.name, count=50)
        beats = (streams.FEED_HEALTH.decoder.decode(fields[streams.FIELD]) for _, fields in entries)
        return next((beat for beat in beats if beat.venue is venue), None)

    def command(self, *words: str) -> Any:
        """Run ``dutchbook WORDS... --json`` against this pipeline and return what it wrote."""
        ended = subprocess.run(
            [sys.executable, "-m", "services.cli", *words, "--json"],
            env=clean_environ(DUTCHBOOK_REDIS_URL=self.environ["DUTCHBOOK_REDIS_URL"]),
            capture_output=True,
            text=True,
            timeout=GRACE_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def stop_all(self) -> None:
        """End every service, newest first, and require that each one ended well and without a traceback."""
        for run in reversed(self.runs.values()):
            run.tell(signal.SIGTERM)
        for service, run in self.runs.items():
            assert (service, run.ends()) == (service, 0), run.stderr
            assert "raceback" not in run.stderr, (service, run.stderr)


def levels_of(quote: Quote) -> Levels:
    """Return a quote's levels by side and price."""
    sides = (("bid", quote.yes_bids), ("ask", quote.yes_asks))
    return {(side, price): size for side, levels in sides for price, size in levels}


@contextmanager
def pipeline(folder: Path, redis_url: str) -> Iterator[Pipeline]:
    """Yield a pipeline without any process; those that are started end with the block."""
    with ExitStack() as stack:
        yield Pipeline(folder, redis_url, stack)


@contextmanager
def private_pipeline() -> Iterator[Pipeline]:
    """Yield a pipeline with a folder and a Redis of its own."""
    with short_folder() as folder, start_private_redis() as server, pipeline(folder, server.url) as pipe:
        yield pipe


@contextmanager
def scanning(*, questions: int, rate: int, plant_interval_ms: int, refresh_s: int) -> Iterator[Pipeline]:
    """Yield a private pipeline that runs whole on simulated venues, and require that every service ends well."""
    with private_pipeline() as pipe:
        pipe.start_simulator(
            VENUE_SIM_QUESTIONS=str(questions),
            VENUE_SIM_RATE=str(rate),
            VENUE_SIM_PLANT_INTERVAL_MS=str(plant_interval_ms),
        )
        pipe.environ |= {"KALSHI_FEED_REFRESH_S": str(refresh_s), "POLYMARKET_FEED_REFRESH_S": str(refresh_s)}
        start_everything(pipe)
        yield pipe
        pipe.stop_all()


def start_everything(pipe: Pipeline) -> None:
    """Start simulated venues and every service that a scan needs, and wait until every mapped market is quoted."""
    curated = pipe.control("/mappings")["pairs"]
    intent_key = pipe.folder / "intent.key"
    intent_key.touch(mode=0o600)
    intent_key.write_text("0123456789abcdef" * 4)
    pipe.environ |= {
        "MATCHER_MAPPINGS_DIR": str(write_mappings(pipe.folder, curated)),
        "DUTCHBOOK_INTENT_KEY_FILE": str(intent_key),
        "KALSHI_EXECUTOR_LEDGER_FILE": str(pipe.folder / "ledger.sqlite3"),
    }
    for service in SERVICES:
        pipe.start(service)
    eventually(lambda: len(pipe.live_pairs()) >= len(curated), what=pipe.live_pairs)
    eventually(lambda: all_quoted(pipe), what=lambda: unquoted(pipe))


def unquoted(pipe: Pipeline, *, since_ns: int = 0) -> list[tuple[Venue, str]]:
    """Return the legs of live pairs without a quote that was written after ``since_ns``."""
    legs = [(venue, pair.market_id(venue), pair.partition) for pair in pipe.live_pairs() for venue in Venue]
    quotes = ((leg, pipe.quote(*leg)) for leg in legs)
    return [(leg[0], leg[1]) for leg, quote in quotes if quote is None or quote.published_ts_ns <= since_ns]


def all_quoted(pipe: Pipeline, *, since_ns: int = 0) -> bool:
    """Whether there are live pairs and every leg of them has such a quote."""
    return bool(pipe.live_pairs()) and not unquoted(pipe, since_ns=since_ns)


def venue_book(pipe: Pipeline, venue: Venue, market: Market) -> Levels:
    """Return a market's book as the venue's REST says it is now, in the terms of the bus."""
    if venue is Venue.KALSHI:
        url = pipe.simulator["kalshi"]["rest_url"]
        sides = ask(f"{url}/markets/{market.market_id}/orderbook")["orderbook_fp"]
        bids = {("bid", Decimal(price)): Decimal(size) for price, size in sides["yes_dollars"]}
        return bids | {("ask", 1 - Decimal(price)): Decimal(size) for price, size in sides["no_dollars"]}
    url = pipe.simulator["polymarket"]["clob_url"]
    book = ask(f"{url}/book?token_id={market.token_ids[0]}")
    sides = (("bid", book["bids"]), ("ask", book["asks"]))
    return {(side, Decimal(one["price"])): Decimal(one["size"]) for side, levels in sides for one in levels}
