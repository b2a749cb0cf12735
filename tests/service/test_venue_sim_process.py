"""The simulator as a process: its ready file, its control door, its end, and what it says when it cannot start."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.shared_folder import shared_folder
from tests.waiting import eventually

Json = dict[str, Any]

GRACE_S = 30
HTTP = build_opener(ProxyHandler({}))


def spawn(**environ: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.venue_sim"]
    return subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.PIPE)


def refused(**environ: str) -> tuple[int, str]:
    """Return the exit status and the only line of a run that should not start."""
    process = spawn(**environ)
    try:
        _, errors = process.communicate(timeout=GRACE_S)
    finally:
        process.kill()
    [line] = errors.decode().splitlines()
    return process.returncode, line


@contextmanager
def running(path: Path, **environ: str) -> Iterator[Json]:
    process = spawn(VENUE_SIM_READY_FILE=str(path), **environ)
    try:
        eventually(lambda: path.exists() or process.poll() is not None)
        yield msgspec.json.decode(path.read_bytes())
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=GRACE_S)
        assert process.returncode == 0, errors
        assert b"traceback" not in errors.lower()
    finally:
        process.kill()
        process.communicate()


def ask(url: str, body: Json | None = None) -> tuple[int, Json]:
    request = Request(url, data=None if body is None else msgspec.json.encode(body))
    try:
        with HTTP.open(request, timeout=GRACE_S) as answer:
            return answer.status, msgspec.json.decode(answer.read())
    except HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read())


def get(url: str) -> Json:
    status, body = ask(url)
    assert status == 200, body
    return body


def test_a_run_from_the_ready_file_to_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    with running(path, VENUE_SIM_SEED="5", VENUE_SIM_PLANT_INTERVAL_MS="60", VENUE_SIM_RATE="300") as ready:
        assert ready["seed"] == 5
        key_file = Path(ready["kalshi"]["private_key_file"])
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        assert key.key_size == 2_048

        markets = get(ready["kalshi"]["rest_url"] + "/markets?limit=1000")
        tickers = {market["ticker"] for market in markets["markets"]}
        events = get(ready["polymarket"]["gamma_url"] + "/events/keyset?limit=100")
        conditions = {market["conditionId"] for event in events["events"] for market in event["markets"]}
        truth = get(ready["control_url"] + "/truth")
        assert {pair["kalshi_ticker"] for pair in truth["pairs"]} < tickers
        assert {pair["condition_id"] for pair in truth["pairs"]} < conditions
        assert {pair["kind"] for pair in truth["pairs"]} == {"template", "curated"}
        assert truth["unmapped"]
        assert truth["look_alikes"]

        [first, *_] = eventually(lambda: get(ready["control_url"] + "/truth")["intervals"])
        assert first["kalshi_ticker"] in tickers
        assert first["condition_id"] in conditions

        stats = get(ready["control_url"] + "/stats")
        assert stats["operations"] > 0
        assert stats["kalshi"]["orders_received"] == stats["polymarket"]["orders_received"] == 0
        assert stats["kalshi"]["requests"] == {"GET /trade-api/v2/markets": 1}
        assert sum(stats["polymarket"]["requests"].values()) == 1

        mappings = get(ready["control_url"] + "/mappings")
        curated = {pair["kalshi_ticker"] for pair in truth["pairs"] if pair["kind"] == "curated"}
        assert {row["kalshi_ticker"] for row in mappings["pairs"]} == curated
        for row in mappings["pairs"]:
            assert row["yes_token_id"] == row["token_ids"][row["orientation"] == "inverted"]
    assert not path.exists()
    assert not key_file.exists()


def test_faults_are_listed_armed_and_refused_by_name(tmp_path: Path) -> None:
    with running(tmp_path / "ready.json", VENUE_SIM_QUESTIONS="6") as ready:
        url = ready["control_url"] + "/_fault"
        known = {(fault["venue"], fault["name"]) for fault in get(url)["faults"]}
        assert {("kalshi", name) for name in ("skip_delta", "drop_connection", "freeze")} <= known
        assert ask(url, {"venue": "kalshi", "name": "skip_delta", "times": 2})[0] == 200
        assert ask(url, {"venue": "kalshi", "name": "rain"})[0] == 404
        assert ask(url, {"venue": "mars", "name": "freeze"})[0] == 404
        assert ask(url, {"venue": "kalshi"})[0] == 400
        assert ask(url, {"venue": "kalshi", "name": "freeze", "how": "long"})[0] == 400
        assert ask(ready["control_url"] + "/truth?since_ms=soon")[0] == 400


def test_a_port_in_use_is_one_clear_line_and_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, line = refused(VENUE_SIM_KALSHI_PORT=str(port), VENUE_SIM_READY_FILE=str(tmp_path / "ready.json"))
    assert status == 1
    assert f"port {port} for Kalshi is already in use" in line
    assert "VENUE_SIM_KALSHI_PORT" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [("VENUE_SIM_KALSHI_PORT", "70000"), ("VENUE_SIM_SEED", "x"), ("VENUE_SIM_QUESTIONS", "0")],
)
def test_a_wrong_setting_is_one_clear_line_and_status_2(variable: str, value: str) -> None:
    status, line = refused(**{variable: value})
    assert status == 2
    assert f"{variable}=" in line


def test_a_folder_of_recordings_that_is_not_there_is_one_clear_line_and_status_2(tmp_path: Path) -> None:
    status, line = refused(VENUE_SIM_RECORDED=str(tmp_path / "nothing"))
    assert status == 2
    assert "VENUE_SIM_RECORDED=" in line


def test_a_broken_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "ws_broken.jsonl").write_text('{"type":"orderbook_snapshot"\n')
    status, line = refused(VENUE_SIM_RECORDED=str(tmp_path))
    assert status == 2
    assert "ws_broken.jsonl" in line


def test_recordings_can_be_served_instead_of_a_world(tmp_path: Path) -> None:
    with running(tmp_path / "ready.json", VENUE_SIM_RECORDED=str(shared_folder("captures"))) as ready:
        assert get(ready["kalshi"]["rest_url"] + "/markets?limit=5")["markets"]
        assert get(ready["polymarket"]["gamma_url"] + "/events/keyset?limit=5")["events"]
        assert get(ready["control_url"] + "/truth")["pairs"] == []
        assert get(ready["control_url"] + "/stats")["operations"] == 0


def test_a_ready_file_that_cannot_be_written_is_one_clear_line_and_status_1(tmp_path: Path) -> None:
    status, line = refused(VENUE_SIM_READY_FILE=str(tmp_path / "nowhere" / "ready.json"))
    assert status == 1
    assert "VENUE_SIM_READY_FILE" in line
