"""The executor against a real bus: good, bad, repeated and forged intents, and when it will not start."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from services.kalshi_executor.main import main
from services.kalshi_executor.settings import Settings
from shared.contracts.executions import IntentRefused, OrderDone, OrderJournaled
from shared.contracts.intents import HedgedIntent
from shared.contracts.streams import ALERTS, FIELD, dead_letter_name
from shared.domain.risk_terms import BookSeen
from shared.runtime.settings import read_settings
from tests.service.executor_world import EXECUTIONS, INTENTS, ROOT, World, fresh_intent
from tests.service.redis_proxy import RedisProxy
from tests.unit.kalshi_executor.builders import KALSHI_MARKET, POLYMARKET_MARKET


@pytest.fixture
async def world(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    world = World(redis_url, tmp_path)
    await world.furnish()
    yield world
    await world.redis.aclose()


@pytest.fixture
async def running(world: World) -> AsyncIterator[World]:
    """A world with an executor inside this process."""
    stopping = asyncio.Event()
    service = asyncio.create_task(main(read_settings(Settings, world.environ, prefix="kalshi_executor"), stopping))
    yield world
    stopping.set()
    await service


async def reason_for(world: World, intent: HedgedIntent) -> str:
    await world.send(intent)
    [refused] = await world.wait_said(1)
    assert isinstance(refused, IntentRefused), refused
    return refused.reason


async def test_an_intent_is_journaled_and_filled_level_by_level_with_kalshis_fee(running: World) -> None:
    await running.send(fresh_intent())
    journaled, done = await running.wait_said(2)
    assert isinstance(journaled, OrderJournaled)
    assert isinstance(done, OrderDone)
    # 0.07 * 60 * 0.42 * 0.58 = 1.02312 and 0.07 * 40 * 0.43 * 0.57 = 0.68628, each up to the next 0.0001.
    assert done.fills == (
        (Decimal("0.42"), Decimal(60), Decimal("1.0232")),
        (Decimal("0.43"), Decimal(40), Decimal("0.6863")),
    )
    assert done.cost_dollars == Decimal("42.4")
    assert done.fee_dollars == Decimal("1.7095")
    assert (done.mode, done.filled_contracts, done.client_order_id) == ("dry", 100, journaled.client_order_id)
    assert [message.ledger_seq for message in (journaled, done)] == [1, 2]
    await running.wait_settled()
    assert running.rows("SELECT verdict, detail FROM intents") == [
        (
            "approved",
            f"hedge not sent from here: buy 100 no of polymarket {POLYMARKET_MARKET.market_id} at 0.50 or better",
        )
    ]


async def test_the_same_intent_a_hundred_times_has_one_effect(running: World) -> None:
    intent = fresh_intent()
    for _ in range(100):
        await running.send(intent)
    await running.wait_settled()
    assert [type(message) for message in await running.wait_said(2)] == [OrderJournaled, OrderDone]
    assert running.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_the_same_id_with_other_contents_pages_and_does_nothing(running: World) -> None:
    await running.send(fresh_intent())
    await running.wait_said(2)
    await running.send(fresh_intent(expected_edge_dollars=Decimal(5)))
    await running.wait_settled()
    await running.send(fresh_intent(2))
    await running.wait_said(3)
    [(_, fields)] = await running.redis.xrange(ALERTS.name)
    alert = ALERTS.decoder.decode(fields[FIELD])
    assert (alert.severity, alert.code) == ("page", "intent.altered")


async def test_a_forged_intent_is_refused_and_cannot_use_up_a_true_ones_id(running: World) -> None:
    forged = msgspec.structs.replace(fresh_intent(), signature="0" * 64)
    assert await reason_for(running, forged) == "not_authentic"
    await running.send(fresh_intent())
    _, journaled, done = await running.wait_said(3)
    assert isinstance(journaled, OrderJournaled)
    assert isinstance(done, OrderDone)


async def test_a_field_that_was_changed_after_signing_is_seen(running: World) -> None:
    assert await reason_for(running, msgspec.structs.replace(fresh_intent(), account="other")) == "not_authentic"


async def test_an_intent_for_another_account_is_refused(running: World) -> None:
    assert await reason_for(running, fresh_intent(account="other")) == "wrong_account"


async def test_an_intent_that_came_too_late_is_refused(running: World) -> None:
    late_ns = time.time_ns() - 3_000_000_000
    assert await reason_for(running, fresh_intent(created_ts_ns=late_ns, expires_ts_ns=late_ns + 10**9)) == "expired"


async def test_while_the_kill_file_is_there_nothing_is_done(running: World) -> None:
    (running.folder / "KILL").touch()
    assert await reason_for(running, fresh_intent()) == "killed"
    assert running.rows("SELECT count(*) FROM orders") == [(0,)]


async def test_a_book_that_went_stale_or_vanished_since_the_quote_is_refused(running: World) -> None:
    await running.put_book(POLYMARKET_MARKET, BookSeen(stale="gap"))
    assert await reason_for(running, fresh_intent()) == "book_stale"


async def test_the_books_are_those_of_now(running: World) -> None:
    await running.redis.delete(
        *[key async for key in running.redis.scan_iter(match=f"*:{KALSHI_MARKET.market_id}", count=1_000)]
    )
    assert await reason_for(running, fresh_intent()) == "book_missing"


async def test_a_pair_is_left_alone_for_a_while_after_an_order(running: World) -> None:
    await running.send(fresh_intent(1))
    await running.wait_said(2)
    await running.send(fresh_intent(2))
    refused = (await running.wait_said(3))[2]
    assert isinstance(refused, IntentRefused)
    assert refused.reason == "pair_too_soon"


@pytest.mark.parametrize(
    "payload",
    [b"", b"not json", b'{"type":"hedged_intent"}', b"\xff\xfe", b'{"type":"hedged_intent","surprise":1}'],
)
async def test_what_is_no_intent_goes_to_the_dead_letters_and_the_next_one_is_handled(
    running: World, payload: bytes
) -> None:
    await running.send(payload)
    await running.send(fresh_intent())
    await running.wait_said(2)
    [(_, fields)] = await running.redis.xrange(dead_letter_name(INTENTS))
    assert fields[FIELD] == payload


async def test_an_intent_with_a_field_more_is_refused_whole(running: World) -> None:
    raw = msgspec.json.decode(msgspec.json.encode(fresh_intent()))
    await running.send(msgspec.json.encode({**raw, "leverage": "10"}))
    await running.send(fresh_intent(2))
    journaled, _ = await running.wait_said(2)
    assert journaled.intent_id == "intent-2"
    assert await running.redis.xlen(dead_letter_name(INTENTS)) == 1


async def test_live_mode_is_refused_with_status_3_and_says_why(world: World) -> None:
    status, said = await world.refused_start({"KALSHI_EXECUTOR_MODE": "live"})
    assert status == 3
    assert said.count("\n") == 1
    assert "comes with a later release" in said
    assert not world.ledger.exists()


@pytest.mark.parametrize(
    ("environ", "status", "names"),
    [
        ({"KALSHI_EXECUTOR_MODE": "paper"}, 2, "KALSHI_EXECUTOR_MODE"),
        ({"KALSHI_EXECUTOR_MAX_CONTRACTS": "NaN"}, 2, "KALSHI_EXECUTOR_MAX_CONTRACTS"),
        ({"KALSHI_EXECUTOR_REARM_MS": "-1"}, 2, "KALSHI_EXECUTOR_REARM_MS"),
        ({"KALSHI_EXECUTOR_MAX_ORDER_DOLLARS": "-1"}, 2, "KALSHI_EXECUTOR_MAX_ORDER_DOLLARS"),
        ({"DUTCHBOOK_INTENT_KEY_FILE": "/nonexistent/key"}, 2, "DUTCHBOOK_INTENT_KEY_FILE"),
        ({"KALSHI_EXECUTOR_LEDGER_FILE": ""}, 2, "KALSHI_EXECUTOR_LEDGER_FILE"),
        ({"KALSHI_EXECUTOR_LEDGER_FILE": "/nonexistent/ledger"}, 1, "/nonexistent/ledger"),
        ({"DUTCHBOOK_REDIS_URL": "redis://127.0.0.1:1/0"}, 1, "DUTCHBOOK_REDIS_URL"),
    ],
)
async def test_wrong_settings_are_one_line_that_names_them(
    world: World, environ: dict[str, str], status: int, names: str
) -> None:
    found, said = await world.refused_start(environ)
    assert (found, said.count("\n")) == (status, 1), said
    assert names in said


async def test_a_key_that_is_too_short_to_trust_is_refused(world: World) -> None:
    world.key_file.write_bytes(b"short")
    status, said = await world.refused_start()
    assert (status, said.count("\n")) == (2, 1)
    assert "DUTCHBOOK_INTENT_KEY_FILE" in said
    assert "short\n" not in said


async def test_a_second_executor_on_the_ledger_ends_with_status_3(running: World) -> None:
    await running.send(fresh_intent())
    await running.wait_said(2)
    status, said = await running.refused_start()
    assert status == 3
    assert "another executor holds the ledger" in said


async def test_in_dry_run_no_module_that_could_reach_a_venue_is_loaded() -> None:
    program = (
        "import sys, services.kalshi_executor.main\n"
        "banned = ('aiohttp', 'shared.io.http', 'shared.io.websocket', 'shared.io.webhook', 'websockets',"
        " 'slack_sdk', 'shared.venues')\n"
        "print([name for name in sys.modules if name.startswith(banned)])"
    )
    found = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@asynccontextmanager
async def behind_a_proxy(world: World) -> AsyncIterator[RedisProxy]:
    """An executor inside this process whose way to Redis can be cut."""
    stopping = asyncio.Event()
    async with RedisProxy(world.url, world.folder).up() as proxy:
        environ = {**world.environ, "DUTCHBOOK_REDIS_URL": proxy.url}
        service = asyncio.create_task(main(read_settings(Settings, environ, prefix="kalshi_executor"), stopping))
        yield proxy
        stopping.set()
        await service


async def test_a_redis_that_goes_away_and_comes_back_costs_no_intent_and_no_word(world: World) -> None:
    async with behind_a_proxy(world) as proxy:
        await world.send(fresh_intent(1))
        await world.wait_said(2)
        proxy.cut()
        await world.send(fresh_intent(2))
        refused = (await world.wait_said(3))[2]
        assert isinstance(refused, IntentRefused)
        assert refused.reason == "pair_too_soon"
        await world.wait_settled()
        await world.wait_published()


async def test_an_executions_stream_that_refuses_holds_nobody_up_and_is_told(world: World) -> None:
    await world.redis.set(EXECUTIONS.name, "no stream")
    async with world.executor():
        await world.send(fresh_intent(1))
        await world.wait_settled()
        await world.wait_published()
        told = [ALERTS.decoder.decode(fields[FIELD]) for _, fields in await world.redis.xrange(ALERTS.name)]
        [alert] = {alert.alert_id: alert for alert in told}.values()  # told at least once
        assert (alert.severity, alert.code) == ("page", "outbox.refused")
        assert EXECUTIONS.name in alert.title
        noted = world.rows("SELECT count(*) FROM events WHERE kind = 'execution_set_aside'")
        assert noted == [(2,)], "journaled and done: both are in the ledger, though not on the stream"
        await world.redis.delete(EXECUTIONS.name)
        await world.send(fresh_intent(2))
        [refused] = await world.wait_said(1)
        assert isinstance(refused, IntentRefused)
        assert (refused.reason, refused.ledger_seq) == ("pair_too_soon", 3)


async def test_a_restart_forgets_old_messages_that_the_stream_holds_and_goes_on_numbering(world: World) -> None:
    keep = {"KALSHI_EXECUTOR_OUTBOX_KEEP_DAYS": "0"}
    async with world.executor(keep):
        await world.send(fresh_intent(1))
        await world.wait_said(2)
        await world.wait_published()
    async with world.executor(keep):
        await world.wait_rows("SELECT seq FROM outbox", [(2,)])
        await world.send(fresh_intent(2))
        [*_, refused] = await world.wait_said(3)
    assert refused.ledger_seq == 3
    assert world.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_a_redis_that_hangs_while_an_intent_is_checked_means_no_order(world: World) -> None:
    async with behind_a_proxy(world) as proxy:
        await world.send(fresh_intent(account="other"))
        await world.wait_said(1)
        proxy.swallow_reply_to(b"arb:v1:book:")
        await world.send(fresh_intent(2))
        refused = (await world.wait_said(2))[1]
        assert isinstance(refused, IntentRefused)
        assert refused.reason == "book_missing"


async def test_asked_to_stop_it_ends_at_once_with_status_0(world: World) -> None:
    async with world.executor() as process:
        await world.send(fresh_intent())
        await world.wait_said(2)
        await world.wait_published()
        process.terminate()
        _, log = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert b"Traceback" not in log
