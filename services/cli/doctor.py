"""``dutchbook doctor``: whether this machine, its settings and its place on the map will do, one line each.

Nothing here raises for what it finds: every finding is a line that says what to do.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from services.cli.output import write_line
from services.kalshi_feed.settings import Settings as KalshiSettings
from services.polymarket_feed.settings import Settings as PolymarketSettings
from shared.io.http import Answer, HttpClient, HttpUnavailable
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.redis_address import redis_url_in
from shared.runtime.redis_server import check_redis
from shared.runtime.settings import read_settings
from shared.venues.polymarket.urls import GEOBLOCK_URL, UrlRefused, checked_url

MOST_SKEW_MS = 2_000
"""Further from a venue's clock than this, signatures are refused and ages mean nothing; ``Date`` has whole seconds."""
_TIMEOUT_S = 10.0
_NO_REDIS = "redis://unset"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found."""

    check: str
    state: Literal["ok", "warn", "fail"]
    text: str
    """What was found, and what to do about it."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All findings."""

    findings: list[Finding]

    @property
    def exit_status(self) -> int:
        """1 when something must be mended first."""
        return int(any(finding.state == "fail" for finding in self.findings))


class _Geoblock(msgspec.Struct, frozen=True):
    """The answer of the geoblock page (polymarket-client 0.14.0, read 2026-11-21)."""

    blocked: bool
    country: str = "?"
    region: str = "?"


async def diagnose(environ: Mapping[str, str] = os.environ) -> Diagnosis:
    """Return every finding."""
    checks: list[tuple[str, Callable[[Mapping[str, str]], Awaitable[Finding]]]] = [
        ("redis", _redis),
        ("kalshi key", _kalshi_key),
        ("kalshi clock", _kalshi_clock),
        ("polymarket clock", _polymarket_clock),
        ("polymarket geoblock", _geoblock),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(await check(environ))
        except StartRefused as refused:
            findings.append(Finding(check=name, state="fail", text=str(refused)))
        except HttpUnavailable as error:
            text = f"no answer ({error}): check the network, a firewall, or the address in the settings"
            findings.append(Finding(check=name, state="fail", text=text))
    return Diagnosis(findings=findings)


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Write one line per finding."""
    for finding in diagnosis.findings:
        write_line(f"{finding.state:4}  {finding.check:20} {finding.text}")


async def _redis(environ: Mapping[str, str]) -> Finding:
    await check_redis(redis_url_in(environ))
    return Finding(check="redis", state="ok", text="answers, is new enough and evicts nothing")


async def _kalshi_key(environ: Mapping[str, str]) -> Finding:
    settings = _kalshi_settings(environ)
    if settings.key() is None:
        prefix = f"KALSHI_{settings.env.upper()}"
        return Finding(
            check="kalshi key",
            state="warn",
            text=f"books are polled, not streamed: set {prefix}_KEY_ID and {prefix}_KEY_FILE; a read key is enough",
        )
    return Finding(check="kalshi key", state="ok", text=f"readable by its owner alone and usable ({settings.env})")


async def _kalshi_clock(environ: Mapping[str, str]) -> Finding:
    return await _clock("kalshi clock", _kalshi_settings(environ).rest_base, "/exchange/status")


async def _polymarket_clock(environ: Mapping[str, str]) -> Finding:
    settings = read_settings(PolymarketSettings, _with_redis(environ), prefix="POLYMARKET_FEED")
    return await _clock("polymarket clock", settings.clob_url, "/time")


async def _geoblock(environ: Mapping[str, str]) -> Finding:
    variable = "POLYMARKET_GEOBLOCK_URL"
    try:
        url = urlsplit(checked_url(environ.get(variable) or GEOBLOCK_URL, schemes=("http", "https")))
    except UrlRefused as error:
        raise SettingsRefused(f"{variable}: {error}") from None
    answer = await _get(f"{url.scheme}://{url.netloc}", url.path)
    try:
        told = msgspec.json.decode(answer.body, type=_Geoblock)
    except (msgspec.DecodeError, UnicodeError):
        shown = answer.body[:60].decode(errors="replace")
        text = f"status {answer.status} and no readable answer ({shown!r}): look again later, or set {variable}"
        return Finding(check="polymarket geoblock", state="warn", text=text)
    place = f"{told.country}/{told.region}"
    if told.blocked:
        text = f"Polymarket refuses orders from here ({place}): scan only, place no orders and use no way around it"
        return Finding(check="polymarket geoblock", state="warn", text=text)
    return Finding(check="polymarket geoblock", state="ok", text=f"orders are not refused from here ({place})")


async def _clock(check: str, base_url: str, path: str) -> Finding:
    before_ms = time.time_ns() // 1_000_000
    answer = await _get(base_url, path)
    after_ms = time.time_ns() // 1_000_000
    told = _date_of(answer)
    if told is None:
        text = f"{urlsplit(base_url).netloc} answers {answer.status} without a date: is it the venue?"
        return Finding(check=check, state="warn", text=text)
    venue_ms = int(told.timestamp()) * 1_000 + 500
    skew_ms = (before_ms + after_ms) // 2 - venue_ms
    if abs(skew_ms) > MOST_SKEW_MS:
        side = "ahead" if skew_ms > 0 else "behind"
        text = f"this clock is {abs(skew_ms)} ms {side}: set it by NTP (chrony, timesyncd)"
        return Finding(check=check, state="fail", text=text)
    return Finding(check=check, state="ok", text=f"within {MOST_SKEW_MS} ms of the venue's ({after_ms - before_ms} ms)")


async def _get(base_url: str, path: str) -> Answer:
    async with HttpClient(base_url, total_s=_TIMEOUT_S) as client:
        return await client.get(path)


def _date_of(answer: Answer) -> datetime | None:
    text = next((value for name, value in answer.headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


def _kalshi_settings(environ: Mapping[str, str]) -> KalshiSettings:
    return read_settings(KalshiSettings, _with_redis(environ), prefix="KALSHI_FEED")


def _with_redis(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with some Redis, for settings whose own check is about something else."""
    return {**environ, "DUTCHBOOK_REDIS_URL": environ.get("DUTCHBOOK_REDIS_URL") or _NO_REDIS}
