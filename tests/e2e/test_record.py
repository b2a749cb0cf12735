"""``dutchbook record --raw`` beside the simulated venues: what it wrote leads to the venues' own books."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.numbers import decimal_from_text
from shared.venues.kalshi import replay as kalshi
from shared.venues.polymarket import replay as polymarket
from tests.e2e.pipeline import Levels, Pipeline, ask, pipeline
from tests.e2e.processes import Run, running, short_folder
from tests.waiting import eventually

MARKETS = 5


@pytest.fixture(scope="module")
def pipe() -> Iterator[Pipeline]:
    with short_folder() as folder, pipeline(folder, "unix:///nonexistent/redis.sock") as found:
        found.start_simulator(VENUE_SIM_RATE="60")
        yield found


def recorder(pipe: Pipeline, folder: Path, stack: ExitStack, *arguments: str) -> Run:
    words = ("services.cli", "record", *arguments, "--raw", "--json", "--out", str(folder / "out"))
    return stack.enter_context(running(*words, folder=folder / "run", **pipe.environ))


def lines_in(folder: Path) -> list[bytes]:
    """Every complete line of the newest file, finished or not."""
    newest = max((folder / "out").glob("*.jsonl*"), default=None)
    return [line for line in newest.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if newest else []


def levels(bids: Any, asks: Any) -> Levels:
    sides = (("bid", bids), ("ask", asks))
    return {(side, decimal_from_text(price)): decimal_from_text(size) for side, found in sides for price, size in found}


def wait_equal(
    markets: list[str], told: Callable[[], dict[str, Any]], truth: Callable[[str], Levels], run: Run
) -> None:
    """Wait until the recording, at some moment, leads to exactly the venue's book of each market."""
    for market in markets:

        def equal(market: str = market) -> bool:
            book = told().get(market)
            return book is not None and levels(book.yes_bids, book.yes_asks) == truth(market)

        eventually(equal, what=lambda: run.stderr)


def report_of(run: Run) -> dict[str, Any]:
    run.tell(signal.SIGINT)
    assert run.ends() == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_a_kalshi_recording_survives_a_lost_link_and_replays_to_the_exchanges_books(
    pipe: Pipeline, tmp_path: Path
) -> None:
    books = pipe.control("/books")["kalshi"]
    tickers = [ticker for ticker, book in books.items() if book["bids"] and book["asks"]][:MARKETS]

    def truth(ticker: str) -> Levels:
        sides = ask(f"{pipe.simulator['kalshi']['rest_url']}/markets/{ticker}/orderbook")["orderbook_fp"]
        return levels(sides["yes_dollars"], [(str(1 - Decimal(price)), size) for price, size in sides["no_dollars"]])

    with ExitStack() as stack:
        run = recorder(pipe, tmp_path, stack, "kalshi", "--markets", ",".join(tickers), "--channels", "ticker,trade")
        wait_equal(tickers, lambda: kalshi.replay(lines_in(tmp_path)).books, truth, run)
        pipe.control("/_fault", {"venue": "kalshi", "name": "skip_delta", "times": 1})
        eventually(lambda: kalshi.replay(lines_in(tmp_path)).gaps, what=lambda: run.stderr)
        wait_equal(tickers, lambda: kalshi.replay(lines_in(tmp_path)).books, truth, run)
        assert kalshi.replay(lines_in(tmp_path)).lost == (), "the repair is in the recording"
        pipe.control("/_fault", {"venue": "kalshi", "name": "drop_connection", "times": 1})
        eventually(lambda: len(list((tmp_path / "out").glob("*.jsonl*"))) == 2, what=lambda: run.stderr)
        wait_equal(tickers, lambda: kalshi.replay(lines_in(tmp_path)).books, truth, run)
        eventually(lambda: kalshi.replay(lines_in(tmp_path)).frames.get("trade"), what=lambda: run.stderr)
        report = report_of(run)
    assert [Path(file["path"]).name[-10:] for file in report["files"]] == ["0001.jsonl", "0002.jsonl"]
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".jsonl"}
    for file in report["files"]:
        whole = Path(file["path"]).read_bytes().splitlines(keepends=True)
        assert sum(kalshi.replay(whole).frames.values()) == file["frames"] > 0
        kinds = [json.loads(line)["dir"] for line in whole]
        assert (kinds[0], kinds[-1], kinds.count("rest")) == ("open", "close", 1)
    seen = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir()).decode()
    secrets = [pipe.environ["KALSHI_DEMO_KEY_ID"], *Path(pipe.environ["KALSHI_DEMO_KEY_FILE"]).read_text().split()]
    assert not [secret for secret in secrets if len(secret) > 16 and secret in seen]
    assert "SIGNATURE" not in seen.upper()


def test_a_polymarket_recording_replays_to_the_venues_books(pipe: Pipeline, tmp_path: Path) -> None:
    url = pipe.simulator["polymarket"]["clob_url"]
    listed = ask(f"{pipe.simulator['polymarket']['gamma_url']}/markets/keyset?limit=100")["markets"]
    tokens = [json.loads(market["clobTokenIds"])[0] for market in listed][:MARKETS]

    def truth(token: str) -> Levels:
        book = ask(f"{url}/book?token_id={token}")
        return levels(*([(one["price"], one["size"]) for one in book[side]] for side in ("bids", "asks")))

    with ExitStack() as stack:
        run = recorder(pipe, tmp_path, stack, "polymarket", "--markets", ",".join(tokens), "--gzip")
        wait_equal(tokens, lambda: polymarket.replay(lines_in(tmp_path)).books, truth, run)
        eventually(lambda: polymarket.replay(lines_in(tmp_path)).frames.get("PONG"), what=lambda: run.stderr)
        report = report_of(run)
    [file] = report["files"]
    assert file["path"].endswith("-0001.jsonl.gz")
    with running("services.cli", "books", "polymarket", file["path"], "--json", folder=tmp_path / "books") as shown:
        assert shown.ends() == 0, shown.stderr
    result = json.loads(shown.stdout)
    assert set(tokens) <= set(result["books"])
    assert result["refused"] == {}


def test_a_file_that_is_old_is_closed_and_another_begun(pipe: Pipeline, tmp_path: Path) -> None:
    ticker = next(iter(pipe.control("/books")["kalshi"]))
    with ExitStack() as stack:
        run = recorder(pipe, tmp_path, stack, "kalshi", "--markets", ticker, "--rotate-minutes", "0.01")
        eventually(lambda: len(list((tmp_path / "out").glob("*.jsonl"))) >= 2, what=lambda: run.stderr)
        report = report_of(run)
    assert set(report["lost"]) == {"ConnectionError: the file is full"}
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".jsonl"}


def test_a_key_that_the_exchange_does_not_know_ends_it_with_the_remedy(pipe: Pipeline, tmp_path: Path) -> None:
    environ = {**pipe.environ, "KALSHI_DEMO_KEY_ID": "00000000-0000-4000-8000-000000000000"}
    words = ("services.cli", "record", "kalshi", "--raw", "--markets", "A", "--out", str(tmp_path / "out"))
    with running(*words, folder=tmp_path / "run", **environ) as run:
        assert run.ends() == 1
    [line] = [line for line in run.stderr.splitlines() if not line.startswith("{")]
    assert "unknown_key" in line
    assert "KALSHI_ENV" in line
