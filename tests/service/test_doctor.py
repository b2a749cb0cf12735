"""``dutchbook doctor`` on good and bad surroundings: a line for each check, and never a traceback."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.cli.doctor import Finding, diagnose
from services.venue_sim.ready import ThrowAwayKey

ON_TIME, LATE = "", "Sat, 01 Nov 2025 00:00:00 GMT"


@asynccontextmanager
async def venues(geoblock: str, date: str) -> AsyncIterator[str]:
    """One host that plays both venues and the geoblock page."""

    async def anything(_request: web.Request) -> web.Response:
        return web.Response(text="{}", headers={"Date": date} if date else {})

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=geoblock)

    app = web.Application()
    app.router.add_get("/api/geoblock", page)
    app.router.add_get("/{path:.*}", anything)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


def environ(base: str, redis_url: str, key_file: Path) -> dict[str, str]:
    return {
        "DUTCHBOOK_REDIS_URL": redis_url,
        "KALSHI_DEMO_KEY_ID": "some-key",
        "KALSHI_DEMO_KEY_FILE": str(key_file),
        "KALSHI_REST_URL": f"{base}/trade-api/v2",
        "POLYMARKET_CLOB_URL": base,
        "POLYMARKET_GEOBLOCK_URL": f"{base}/api/geoblock",
    }


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    ThrowAwayKey.make().write(path)
    return path


async def found(surroundings: Mapping[str, str]) -> tuple[int, dict[str, Finding]]:
    diagnosis = await diagnose(surroundings)
    return diagnosis.exit_status, {finding.check: finding for finding in diagnosis.findings}


async def test_good_surroundings_are_all_ok(redis_url: str, key_file: Path) -> None:
    async with venues('{"blocked":false,"ip":"192.0.2.1","country":"DE","region":"BE"}', ON_TIME) as base:
        status, findings = await found(environ(base, redis_url, key_file))
    assert status == 0, findings
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert "DE/BE" in findings["polymarket geoblock"].text
    assert "192.0.2.1" not in findings["polymarket geoblock"].text


async def test_a_blocked_place_is_a_warning_that_says_what_is_left(redis_url: str, key_file: Path) -> None:
    async with venues('{"blocked":true,"country":"US","region":"NY"}', ON_TIME) as base:
        status, findings = await found(environ(base, redis_url, key_file))
    assert (status, findings["polymarket geoblock"].state) == (0, "warn")
    assert "scan only" in findings["polymarket geoblock"].text


@pytest.mark.parametrize("page", ["<html>", "[]", '{"blocked":"maybe"}', ""])
async def test_a_geoblock_page_that_cannot_be_read_is_said(redis_url: str, key_file: Path, page: str) -> None:
    async with venues(page, ON_TIME) as base:
        status, findings = await found(environ(base, redis_url, key_file))
    assert (status, findings["polymarket geoblock"].state) == (0, "warn")


async def test_a_clock_that_is_off_and_a_key_that_others_can_read_fail(redis_url: str, key_file: Path) -> None:
    os.chmod(key_file, 0o644)  # noqa: PTH101 - one call on a local file
    async with venues('{"blocked":false}', LATE) as base:
        status, findings = await found(environ(base, redis_url, key_file))
    assert status == 1
    assert "NTP" in findings["kalshi clock"].text
    assert "NTP" in findings["polymarket clock"].text
    assert "chmod 600" in findings["kalshi key"].text


async def test_with_nothing_set_and_nobody_there_every_line_says_what_to_do() -> None:
    nobody = "http://127.0.0.1:9"
    status, findings = await found(
        {
            "KALSHI_REST_URL": f"{nobody}/trade-api/v2",
            "POLYMARKET_CLOB_URL": nobody,
            "POLYMARKET_GEOBLOCK_URL": "https://elsewhere.example/api",
        }
    )
    assert status == 1
    assert {check for check, finding in findings.items() if finding.state != "fail"} == {"kalshi key"}
    assert findings["kalshi key"].state == "warn"
    assert "polled" in findings["kalshi key"].text
    assert "DUTCHBOOK_REDIS_URL" in findings["redis"].text
    assert "KALSHI_DEMO_KEY_ID" in findings["kalshi key"].text
    assert "check the network" in findings["kalshi clock"].text
    assert "POLYMARKET_GEOBLOCK_URL" in findings["polymarket geoblock"].text
