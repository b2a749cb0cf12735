"""A Kalshi feed behind a spoiler for the tests of this folder: one set of processes for each of their modules."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from shared.contracts.quotes import QuotesStale
from tests.e2e.durable_redis import durable_redis
from tests.e2e.pipeline import Pipeline
from tests.e2e.processes import short_folder
from tests.faults.kalshi_proxy import Proxy, unspoiled
from tests.faults.kalshi_scene import PAIRED, Bench


@pytest.fixture(scope="module")
def steady() -> Iterator[Bench]:
    with durable_redis() as server, short_folder() as folder, ExitStack() as stack:
        pipe = Pipeline(folder, server.url, stack)
        pipe.start_simulator(VENUE_SIM_RATE="250")
        proxy = Proxy(pipe.simulator["kalshi"]["rest_url"], pipe.simulator["kalshi"]["ws_url"])
        stack.enter_context(proxy.running())
        tickers = [ticker for ticker, book in pipe.control("/books")["kalshi"].items() if book["bids"] and book["asks"]]
        bench = Bench(pipe, proxy, server, tickers[:PAIRED])
        bench.start_feed()
        yield bench
        feed = pipe.runs["kalshi_feed"]
        feed.tell(signal.SIGTERM)
        assert feed.ends() == 0, feed.stderr
        assert "raceback" not in feed.stderr, feed.stderr
        assert all(isinstance(bench.word(pair), QuotesStale) for pair in bench.pairs), "a stop withdraws every quote"


@pytest.fixture
def bench(steady: Bench) -> Iterator[Bench]:
    """The running feed with all its books right."""
    steady.wait_equal()
    yield steady
    steady.proxy.rule, steady.proxy.refuse_all = unspoiled, None
    steady.proxy.rest.clear()


@pytest.fixture
def fresh(bench: Bench) -> Bench:
    """A feed whose link has held for a while: its pauses between dials begin at a quarter of a second."""
    bench.wait_proven()
    return bench
