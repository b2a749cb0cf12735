"""Secrets stay in their files: they are in no log, on no stream and in no list of processes."""

import re
import signal
from pathlib import Path

import redis

from shared.contracts import streams
from tests.e2e.processes import needs_proc, running, short_folder
from tests.waiting import eventually

ACCOUNT = "demo"


def everything_in(client: redis.Redis) -> bytes:
    """Return all that Redis holds, names and values."""
    found = []
    for key in client.scan_iter(count=1_000):
        kind = client.type(key)
        if kind == b"stream":
            found += [part for _, fields in client.xrange(key) for part in fields.values()]
        elif kind == b"hash":
            found += [part for item in client.hgetall(key).items() for part in item]
        elif kind == b"string":
            found.append(client.get(key))
        else:
            found.append(repr(client.dump(key)).encode())
        found.append(key)
    return b"\n".join(found)


def pieces_of(secret: str) -> list[str]:
    """Return what must not be seen: the whole, and every line of it that is long enough to be a secret by itself."""
    return [piece for piece in {secret.strip(), *secret.split("\n")} if len(piece) >= 16 and "PRIVATE KEY" not in piece]


def test_no_secret_of_a_running_demo_is_in_a_log_on_a_stream_or_in_a_process_list(tmp_path: Path) -> None:
    needs_proc()
    with (
        short_folder() as temporary,
        running("services.cli", "demo", folder=tmp_path, TMPDIR=str(temporary), DUTCHBOOK_LOG_LEVEL="DEBUG") as run,
    ):
        eventually(lambda: "arb_detector" in run.services(), what=lambda: run.stderr)
        [folder] = temporary.glob("dutchbook-demo-*")
        [socket] = temporary.glob("dutchbook-redis-*/redis.sock")
        with redis.Redis.from_url(f"unix://{socket}") as client:
            eventually(lambda: b"order_done" in executions_in(client), what=lambda: run.stderr)
            seen = everything_in(client)
        secrets = {
            path.name: path.read_text() for path in folder.iterdir() if re.search(r"\.(key|url|pem)$", path.name)
        }
        logs = {path.name: path.read_text() for path in folder.glob("*.log")}
        shown = run.family()
        run.tell(signal.SIGINT)
        assert run.ends() == 0, run.stderr
    assert sorted(secrets) == ["intent.key", "simulator.json.kalshi-key.pem", "slack.url"]
    assert len(logs) == 7
    assert all(logs.values())
    places = {**logs, "Redis": seen.decode(errors="replace"), "processes": "\n".join(shown.values())}
    places |= {"stdout": run.stdout, "stderr": run.stderr}
    for name, secret in secrets.items():
        assert pieces_of(secret), name
        for place, text in places.items():
            assert not [piece for piece in pieces_of(secret) if piece in text], f"{name} is in {place}"


def executions_in(client: redis.Redis) -> bytes:
    """Return what the account's executions say."""
    entries = client.xrange(streams.executions(ACCOUNT).name)
    return b"\n".join(fields[streams.FIELD] for _, fields in entries)
