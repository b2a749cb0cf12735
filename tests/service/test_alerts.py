"""One message per episode, whatever Slack, Redis or a crash do in between, and nothing lost."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from services.alerts.main import main
from services.alerts.settings import Settings
from shared.contracts.alerts import OperationalAlert
from shared.contracts.pairs import PairActivated
from shared.contracts.streams import ALERTS, FIELD, OPPORTUNITIES, PAIRS, dead_letter_name
from shared.io.bus import Client, Profile, connect
from shared.io.webhook import Webhook, WebhookBusy, WebhookRefused, WebhookUnavailable
from shared.runtime.settings import SettingsRefused, read_settings
from tests.service.executor_world import ROOT
from tests.service.redis_proxy import RedisProxy
from tests.service.slack_double import PATH, SlackDouble
from tests.unit.alerts.messages import closed, opened
from tests.unit.kalshi_executor.builders import PAIR


class Bus:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.redis: Client = connect(url, Profile.WRITER)
        self.url_file = folder / "slack.url"

    def environ(self, slack: SlackDouble | None, **more: str) -> dict[str, str]:
        if slack is None:
            return {"DUTCHBOOK_REDIS_URL": self.url, **more}
        self.url_file.write_text(slack.url + "\n")
        self.url_file.chmod(0o600)
        return {
            "DUTCHBOOK_REDIS_URL": self.url,
            "ALERTS_SLACK_WEBHOOK_URL_FILE": str(self.url_file),
            "ALERTS_ALLOW_LOCAL_SINK": "true",
            **more,
        }

    async def say(self, stream: Any, *messages: Any) -> None:
        for message in messages:
            await self.redis.xadd(stream.name, {FIELD: msgspec.json.encode(message)})

    async def wait_acknowledged(self, stream: Any) -> None:
        deadline_s = time.monotonic() + 20
        while True:
            groups = await self.redis.xinfo_groups(stream.name) if await self.redis.exists(stream.name) else []
            if groups and groups[0]["pending"] == 0 and groups[0]["lag"] == 0:
                return
            assert time.monotonic() < deadline_s, groups
            await asyncio.sleep(0.01)


@pytest.fixture
async def bus(redis_url: str, tmp_path: Path) -> AsyncIterator[Bus]:
    bus = Bus(redis_url, tmp_path)
    yield bus
    await bus.redis.aclose()


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble().up() as slack:
        yield slack


@asynccontextmanager
async def alerting(bus: Bus, slack: SlackDouble | None, **more: str) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    settings = read_settings(Settings, bus.environ(slack, **more), prefix="alerts")
    service = asyncio.create_task(main(settings, stopping))
    try:
        yield
    finally:
        stopping.set()
        await service


async def test_an_episode_is_one_message_however_often_it_is_told(bus: Bus, slack: SlackDouble) -> None:
    await bus.redis.hset(PAIRS.hash_name, PAIR.pair_id, msgspec.json.encode(PairActivated(pair=PAIR)))
    await bus.say(OPPORTUNITIES, opened(1), opened(1), closed(1), opened(2))
    async with alerting(bus, slack):
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.splitlines()[-1].partition(", seen")[0] for text in slack.texts] == [
        "pair game-home from curated pairs/test.yaml:1"
    ] * 2
    assert slack.posts[0]["mrkdwn"] is False
    assert slack.posts[0]["unfurl_links"] is False


async def test_a_restart_repeats_nothing(bus: Bus, slack: SlackDouble) -> None:
    await bus.say(OPPORTUNITIES, opened(1))
    async with alerting(bus, slack):
        await bus.wait_acknowledged(OPPORTUNITIES)
    await bus.say(OPPORTUNITIES, opened(1), opened(2))
    async with alerting(bus, slack):
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.split()[-1] for text in slack.texts] == ["opp-1", "opp-2"]


async def test_the_end_of_an_episode_is_told_where_that_is_wanted(bus: Bus, slack: SlackDouble) -> None:
    await bus.say(OPPORTUNITIES, opened(1), closed(1))
    async with alerting(bus, slack, ALERTS_ANNOUNCE_CLOSE="true"):
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.split()[0] for text in slack.texts] == ["Edge", "Over"]


async def test_trouble_with_the_system_is_told_once_too(bus: Bus, slack: SlackDouble) -> None:
    alert = OperationalAlert(alert_id="a1", severity="page", code="x.y", title="<!here>", happened_ts_ns=1)
    await bus.say(ALERTS, alert, alert)
    async with alerting(bus, slack):
        await bus.wait_acknowledged(ALERTS)
    assert slack.texts == ["PAGE x.y: &lt;!here&gt;"]


async def test_nothing_is_lost_while_slack_is_down(bus: Bus) -> None:
    slack = SlackDouble()
    async with slack.up():
        port = slack.port
    await bus.say(OPPORTUNITIES, *(opened(number) for number in range(20)))
    async with alerting(bus, slack):
        await asyncio.wait_for(_first_is_owed(bus), 20)
        async with slack.up(port):
            await slack.wait_texts(20)
            await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.split()[-1] for text in slack.texts] == [f"opp-{number}" for number in range(20)]


async def _first_is_owed(bus: Bus) -> None:
    while True:
        groups = await bus.redis.xinfo_groups(OPPORTUNITIES.name)
        if groups and groups[0]["pending"]:
            return
        await asyncio.sleep(0.01)


def asks_to_wait() -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "1"})


@pytest.mark.parametrize("answers", [[asks_to_wait], [500], [503, 502], [408]])
async def test_a_pause_that_is_asked_for_or_a_fault_over_there_delays_and_loses_nothing(
    bus: Bus, slack: SlackDouble, answers: list[Any]
) -> None:
    slack.answers.extend(answers)
    await bus.say(OPPORTUNITIES, opened(1), opened(2))
    started_s = time.monotonic()
    async with alerting(bus, slack):
        await slack.wait_texts(2)
    assert [text.split()[-1] for text in slack.texts] == ["opp-1", "opp-2"]
    assert len(slack.posts) == 2 + len(answers)
    if answers == [asks_to_wait]:
        assert time.monotonic() - started_s >= 1


@pytest.mark.parametrize("answer", [400, 403, 404, 410])
async def test_what_slack_refuses_for_good_is_kept_aside_and_the_next_goes_out(
    bus: Bus, slack: SlackDouble, answer: int
) -> None:
    slack.answers.append(answer)
    await bus.say(OPPORTUNITIES, opened(1), opened(2))
    async with alerting(bus, slack):
        await slack.wait_texts(1)
        await bus.wait_acknowledged(OPPORTUNITIES)
    [(_, fields)] = await bus.redis.xrange(dead_letter_name(OPPORTUNITIES))
    assert OPPORTUNITIES.decoder.decode(fields[FIELD]) == opened(1)
    assert str(answer).encode() in fields[b"reason"]
    assert [text.split()[-1] for text in slack.texts] == ["opp-2"]


async def test_killed_between_the_post_and_the_note_it_repeats_that_one_message_at_most(
    bus: Bus, slack: SlackDouble
) -> None:
    await bus.say(OPPORTUNITIES, opened(1), opened(2))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.alerts",
        cwd=ROOT,
        env={**os.environ, **bus.environ(slack, DUTCHBOOK_CRASH_AT="alerts.posted")},
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == -signal.SIGKILL
    assert PATH.encode() not in log
    async with alerting(bus, slack):
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.split()[-1] for text in slack.texts] == ["opp-1", "opp-1", "opp-2"]


async def test_a_cut_link_to_redis_neither_repeats_nor_loses_a_message(
    bus: Bus, slack: SlackDouble, tmp_path: Path
) -> None:
    async with RedisProxy(bus.url, tmp_path).up() as proxy, alerting(bus, slack, DUTCHBOOK_REDIS_URL=proxy.url):
        for number in range(1, 7):
            await bus.say(OPPORTUNITIES, opened(number))
            await slack.wait_texts(number)
            proxy.cut()
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert [text.split()[-1] for text in slack.texts] == [f"opp-{number}" for number in range(1, 7)]


async def test_a_full_redis_does_not_make_it_say_the_same_again(
    bus: Bus, slack: SlackDouble, caplog: pytest.LogCaptureFixture
) -> None:
    slack.answering.clear()
    await bus.say(OPPORTUNITIES, opened(1))
    async with alerting(bus, slack):
        await slack.wait_posts(1)
        before = (await bus.redis.config_get("maxmemory"))["maxmemory"]
        await bus.redis.config_set("maxmemory", 1)
        try:
            slack.answering.set()
            async with asyncio.timeout(20):
                while "alerts.waiting" not in [record.getMessage() for record in caplog.records]:
                    assert len(slack.posts) == 1
                    await asyncio.sleep(0.01)
        finally:
            await bus.redis.config_set("maxmemory", before)
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert len(slack.posts) == 1


async def test_a_stop_does_not_wait_for_slack_and_the_message_is_still_owed(bus: Bus, slack: SlackDouble) -> None:
    slack.answers.append(lambda: web.Response(status=429, headers={"Retry-After": "3000"}))
    await bus.say(OPPORTUNITIES, opened(1))
    async with alerting(bus, slack):
        await slack.wait_posts(1)
    async with alerting(bus, slack):
        await bus.wait_acknowledged(OPPORTUNITIES)
    assert len(slack.texts) == 1


async def test_without_a_webhook_alerts_are_log_lines_and_it_says_so(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    await bus.say(OPPORTUNITIES, opened(1))
    async with alerting(bus, None):
        await bus.wait_acknowledged(OPPORTUNITIES)
    events = [record.getMessage() for record in caplog.records]
    assert "alerts.to_log" in events
    assert events.count("alert") == 1


@pytest.mark.parametrize(
    ("url", "mode", "says"),
    [
        ("https://evil.example/services/secret", 0o600, "hooks.slack.com"),
        ("http://127.0.0.1:80/services/secret", 0o600, "hooks.slack.com"),
        ("https://hooks.slack.com/services/secret", 0o644, "0644"),
    ],
)
def test_a_url_that_alerts_must_not_go_to_is_refused_and_not_shown(
    tmp_path: Path, url: str, mode: int, says: str
) -> None:
    url_file = tmp_path / "slack.url"
    url_file.write_text(url)
    url_file.chmod(mode)
    environ = {"DUTCHBOOK_REDIS_URL": "redis://x", "ALERTS_SLACK_WEBHOOK_URL_FILE": str(url_file)}
    with pytest.raises(SettingsRefused, match="ALERTS_SLACK_WEBHOOK_URL_FILE") as refused:
        read_settings(Settings, environ, prefix="alerts").webhook_url()
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_a_redirect_is_not_followed(slack: SlackDouble) -> None:
    slack.answers.append(lambda: web.Response(status=307, headers={"Location": slack.url}))
    async with Webhook(slack.url) as webhook:
        with pytest.raises(WebhookRefused, match="307"):
            await webhook.post({"text": "x"})
    assert len(slack.posts) == 1


async def test_an_answer_without_end_is_read_up_to_4_kib_and_believed(slack: SlackDouble) -> None:
    slack.answers.append(lambda: web.Response(status=200, body=b"x" * 8_000_000))
    async with Webhook(slack.url) as webhook:
        await webhook.post({"text": "x"})
    assert slack.texts == ["x"]


async def test_an_answer_that_never_comes_is_given_up_and_does_not_show_the_address(slack: SlackDouble) -> None:
    slack.answering.clear()
    async with Webhook(slack.url, total_s=0.2) as webhook:
        with pytest.raises(WebhookUnavailable) as gone:
            await webhook.post({"text": "x"})
    assert PATH not in str(gone.value)


@pytest.mark.parametrize(
    ("header", "wait_s"), [("30", 30), ("0", 1), ("", 1), ("soon", 1), ("-5", 1), ("9" * 50, 3_600), ("١", 1)]
)
async def test_the_pause_asked_for_is_believed_within_reason(slack: SlackDouble, header: str, wait_s: int) -> None:
    slack.answers.append(lambda: web.Response(status=429, headers={"Retry-After": header}))
    async with Webhook(slack.url) as webhook:
        with pytest.raises(WebhookBusy) as busy:
            await webhook.post({"text": "x"})
    assert busy.value.wait_s == wait_s


async def test_a_name_that_leads_to_a_private_address_is_not_posted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.io import webhook as module

    async def to_metadata(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "169.254.169.254", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr(module.ThreadedResolver, "resolve", to_metadata)
    async with Webhook("https://hooks.slack.com/services/x", total_s=2) as webhook:
        with pytest.raises(WebhookUnavailable):
            await webhook.post({"text": "x"})
