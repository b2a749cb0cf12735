"""Redis is killed in the middle of a run and comes back: nothing else dies, and everything goes on where it was."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from services.cli.stack import SERVICES
from shared.contracts import streams
from shared.contracts.executions import OrderDone
from tests.e2e.durable_redis import durable_redis
from tests.e2e.pipeline import Pipeline, all_quoted, pipeline, start_everything, unquoted
from tests.waiting import eventually

OPEN_ORDERS = """
    SELECT intent_id FROM orders WHERE state NOT IN ('filled', 'canceled', 'expired', 'rejected', 'not_placed')
"""


def newest_fill_ns(pipe: Pipeline) -> int:
    """Return when the newest simulated fill was told."""
    stream = streams.executions("test")
    for entry_id, fields in pipe.redis.xrevrange(stream.name, count=20):
        message = stream.decoder.decode(fields[streams.FIELD])
        if isinstance(message, OrderDone) and message.filled_contracts:
            return int(entry_id.partition(b"-")[0]) * 1_000_000
    return 0


def unsettled(pipe: Pipeline) -> set[str]:
    """Return the intents on the stream of which the ledger knows nothing, or an order that is not over."""
    stream = streams.intents("test")
    wanted = {stream.decoder.decode(fields[streams.FIELD]).intent_id for _, fields in pipe.redis.xrange(stream.name)}
    with closing(sqlite3.connect(f"file:{pipe.folder / 'ledger.sqlite3'}?mode=ro", uri=True)) as ledger:
        judged = {row[0] for row in ledger.execute("SELECT intent_id FROM intents")}
        still_open = {row[0] for row in ledger.execute(OPEN_ORDERS)}
    return (wanted - judged) | (still_open & wanted)


@pytest.mark.parametrize("what_it_knew", ["kept", "lost"])
def test_after_redis_died_and_came_back_quotes_are_new_and_intents_are_filled_again(
    tmp_path: Path, what_it_knew: str
) -> None:
    with durable_redis() as server, pipeline(tmp_path, server.url) as pipe:
        pipe.start_simulator(VENUE_SIM_PLANT_INTERVAL_MS="800")
        start_everything(pipe)
        eventually(lambda: newest_fill_ns(pipe) > 0)
        server.kill()
        if what_it_knew == "lost":
            server.forget()
        time.sleep(1.2)  # longer than a blocking read, so that every reader meets the closed door
        server.start()
        back_ns = time.time_ns()
        eventually(lambda: all_quoted(pipe, since_ns=back_ns), what=lambda: unquoted(pipe))
        eventually(lambda: newest_fill_ns(pipe) > back_ns)
        eventually(lambda: not unsettled(pipe), what=lambda: unsettled(pipe))
        assert {service: pipe.runs[service].process.poll() for service in SERVICES} == dict.fromkeys(SERVICES)
        pipe.stop_all()
