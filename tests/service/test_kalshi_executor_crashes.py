"""Killed at its worst moments and started again, the executor never orders twice, loses nothing and owes nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from services.kalshi_executor.crash_points import CrashPoint
from shared.contracts.executions import OrderDone, OrderJournaled
from tests.service.executor_world import World, contracts_filled, fresh_intent


@pytest.fixture
async def world(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    world = World(redis_url, tmp_path)
    await world.furnish()
    yield world
    await world.redis.aclose()


async def crash_at(world: World, point: CrashPoint) -> None:
    async with world.executor({"DUTCHBOOK_CRASH_AT": point.value}) as process:
        await asyncio.wait_for(process.wait(), 20)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "filled"),
    [
        (CrashPoint.READ, 100),
        (CrashPoint.JOURNALED, 0),
        (CrashPoint.SENDING, 0),
        (CrashPoint.ANSWERED, 0),
        (CrashPoint.DONE, 100),
        (CrashPoint.PUBLISHED, 100),
        (CrashPoint.UNACKED, 100),
    ],
)
async def test_a_crash_at_any_point_leaves_one_order_and_one_story(
    world: World, point: CrashPoint, filled: int
) -> None:
    await world.send(fresh_intent())
    await crash_at(world, point)
    async with world.executor():
        journaled, done = await world.wait_said(2)
        await world.wait_settled()
        await world.wait_published()
    assert isinstance(journaled, OrderJournaled)
    assert isinstance(done, OrderDone)
    assert done.filled_contracts == filled
    assert done.client_order_id == journaled.client_order_id
    assert len(await world.said()) == 2
    assert world.rows("SELECT count(*) FROM orders") == [(1,)]
    assert contracts_filled(world) == Decimal(filled)


async def test_a_crash_during_recovery_changes_nothing_about_its_end(world: World) -> None:
    await world.send(fresh_intent())
    await crash_at(world, CrashPoint.SENDING)
    for _ in range(2):
        await crash_at(world, CrashPoint.RECOVERING)
    async with world.executor():
        _, done = await world.wait_said(2)
        await world.wait_settled()
    assert isinstance(done, OrderDone)
    assert done.filled_contracts == 0
    assert [state for (state,) in world.rows("SELECT state FROM orders")] == ["not_placed"]
    kinds = [kind for (kind,) in world.rows("SELECT kind FROM events ORDER BY seq")]
    assert kinds == ["order_journaled", "order_sending", "order_unknown", "order_not_placed"]


async def test_an_intent_that_expired_while_the_executor_was_down_is_refused_at_its_return(world: World) -> None:
    intent = fresh_intent()
    await world.send(fresh_intent(expires_ts_ns=intent.created_ts_ns + 1))
    await crash_at(world, CrashPoint.READ)
    async with world.executor():
        [refused] = await world.wait_said(1)
        await world.wait_settled()
    assert getattr(refused, "reason", None) == "expired"
