"""``dutchbook config show``: what is in force and why, what would be refused, and never a secret."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from services.cli.config import lines_of
from services.cli.config_lines import Problem, Setting, common_settings, problem_of, settings_of
from services.cli.main import main
from services.cli.settings_page import SETTINGS

SECRET = "correct-horse-battery-staple"
REDIS = {"DUTCHBOOK_REDIS_URL": "redis://h:6379/0"}


class Said(NamedTuple):
    status: object
    stdout: str
    stderr: str


Show = Callable[..., Said]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    """Run ``config show`` with these variables and no others of ours."""

    def run(*words: str, environ: Mapping[str, str]) -> Said:
        monkeypatch.setattr("os.environ", dict(environ))
        monkeypatch.setattr(sys, "argv", ["dutchbook", "config", "show", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code, *capsys.readouterr())

    return run


def named(settings: list[Setting]) -> dict[str, Setting]:
    return {setting.variable: setting for setting in settings}


def test_a_value_comes_from_the_environment_or_is_the_default() -> None:
    found = named(settings_of("kalshi_feed", {**REDIS, "KALSHI_FEED_DEPTH": "20", "KALSHI_FEED_CHUNK": ""}))
    depth, chunk, key = (found[name] for name in ("KALSHI_FEED_DEPTH", "KALSHI_FEED_CHUNK", "KALSHI_PROD_KEY_FILE"))
    assert (depth.value, depth.default, depth.source) == ("20", "10", "environment")
    assert (chunk.value, chunk.source) == ("100", "default"), "an empty variable counts as not set"
    assert (key.value, key.source) == ("", "not set")
    assert found["KALSHI_FEED_USE_YES_PRICE"].value == "false"
    assert found["KALSHI_ENV"].value == "demo"


@pytest.mark.parametrize(
    ("service", "environ", "variable", "value"),
    [
        ("kalshi_feed", {}, "KALSHI_REST_URL", "https://external-api.demo.kalshi.co/trade-api/v2"),
        ("kalshi_feed", {"KALSHI_ENV": "prod"}, "KALSHI_WS_URL", "wss://external-api-ws.kalshi.com/trade-api/ws/v2"),
        (
            "kalshi_executor",
            {"KALSHI_EXECUTOR_LEDGER_FILE": "/data/ledger.sqlite3", "DUTCHBOOK_INTENT_KEY_FILE": "/k"},
            "KALSHI_EXECUTOR_KILL_FILE",
            "/data/KILL",
        ),
    ],
)
def test_what_follows_from_other_settings_is_shown_as_it_is_in_force(
    service: str, environ: dict[str, str], variable: str, value: str
) -> None:
    found = named(settings_of(service, {**REDIS, **environ}))[variable]
    assert (found.value, found.source) == (value, "default")


def test_settings_that_are_refused_are_shown_as_they_were_given() -> None:
    found = named(settings_of("kalshi_feed", {"KALSHI_FEED_DEPTH": "many"}))
    assert (found["KALSHI_FEED_DEPTH"].value, found["KALSHI_FEED_CHUNK"].value) == ("many", "100")
    redis_url = found["DUTCHBOOK_REDIS_URL"]
    assert (redis_url.value, redis_url.source, redis_url.is_required) == ("", "not set", True)


def test_every_setting_of_every_service_is_there() -> None:
    for service, kind in SETTINGS.items():
        assert len(settings_of(service, {})) == len(kind.__struct_fields__)
    assert [setting.value for setting in common_settings({"DUTCHBOOK_LOG_LEVEL": "debug"})] == ["DEBUG", ""]


SECRETS = {
    "DUTCHBOOK_REDIS_URL": f"rediss://me:{SECRET}@h:6379/0",
    "KALSHI_DEMO_KEY_ID": SECRET,
    "KALSHI_DEMO_KEY_FILE": f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
    "ALERTS_SLACK_WEBHOOK_URL_FILE": f"https://hooks.slack.com/services/T/B/{SECRET}",
    "DUTCHBOOK_INTENT_KEY_FILE": SECRET * 2,
    "POLYMARKET_WS_URL": f"wss://me:{SECRET}@127.0.0.1/ws",
}


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize("more", [{}, {"KALSHI_FEED_DEPTH": "refused", "POLYMARKET_FEED_DEPTH": "refused"}])
def test_no_secret_is_shown_wherever_it_was_put(show: Show, words: tuple[str, ...], more: dict[str, str]) -> None:
    said = show(*words, environ={**SECRETS, **more})
    assert SECRET not in said.stdout + said.stderr
    assert "rediss://…@h:6379/0" in said.stdout
    if words:
        found = {line["variable"]: line for line in json.loads(said.stdout)["settings"]}
        assert (found["KALSHI_DEMO_KEY_ID"]["value"], found["KALSHI_PROD_KEY_ID"]["value"]) == ("set", "")
        assert found["KALSHI_DEMO_KEY_FILE"]["value"] == "set, and no path"


def test_a_password_from_a_file_is_not_shown_and_its_file_is(show: Show, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(SECRET)
    said = show("matcher", environ={**REDIS, "DUTCHBOOK_REDIS_PASSWORD_FILE": str(path)})
    assert (said.status, said.stderr) == (0, "")
    assert SECRET not in said.stdout
    assert "redis://…@h:6379/0" in said.stdout
    assert str(path) in said.stdout


def test_one_service_or_all_with_exit_2_and_the_line_of_each_that_would_not_start(show: Show) -> None:
    said = show("matcher", environ=REDIS)
    assert (said.status, said.stderr) == (0, "")
    services = [line for line in said.stdout.splitlines() if not line.startswith(" ")]
    assert services == ["every service", "matcher"]
    environ = {**REDIS, "MATCHER_DEBOUNCE": "5", "DUTCHBOOK_LOG_LEVEL": "INFO"}
    said = show(environ=environ)
    assert said.status == 2
    assert said.stderr.splitlines() == [
        "matcher: MATCHER_DEBOUNCE is not a setting of matcher; did you mean MATCHER_DEBOUNCE_MS?",
        "kalshi_executor: DUTCHBOOK_INTENT_KEY_FILE is not set",
    ]
    problems = json.loads(show("matcher", "--json", environ=environ).stdout)["problems"]
    assert [problem["service"] for problem in problems] == ["matcher"]


def test_an_unknown_service_is_one_line(show: Show) -> None:
    said = show("everything", environ=REDIS)
    assert (said.status, said.stdout) == (2, "")
    assert said.stderr.startswith("dutchbook: there is no service 'everything'; choose one of: kalshi_feed, ")


def test_a_file_of_secrets_that_others_can_read_is_a_problem_as_it_is_for_the_service(tmp_path: Path) -> None:
    path = tmp_path / "open.url"
    path.write_text("https://hooks.slack.com/services/T/B/x")
    path.chmod(0o644)
    environ = {**REDIS, "ALERTS_SLACK_WEBHOOK_URL_FILE": str(path)}
    found = problem_of("alerts", environ)
    assert found is not None
    assert f"chmod 600 {path}" in found.text
    path.chmod(0o600)
    assert problem_of("alerts", environ) is None
    assert problem_of("alerts", {**environ, "DUTCHBOOK_LOG_LEVEL": "LOUD"}) == Problem(
        service="alerts",
        text="DUTCHBOOK_LOG_LEVEL='LOUD': expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
    )


def test_lines_say_value_source_and_the_default_that_it_replaces() -> None:
    settings = settings_of("arb_detector", {**REDIS, "ARB_DETECTOR_DEBOUNCE_MS": "0"})
    lines = {line.split()[0]: line.split()[1:] for line in lines_of(settings)}
    assert lines["ARB_DETECTOR_DEBOUNCE_MS"] == ["0", "environment", "(default", "50)"]
    assert lines["ARB_DETECTOR_LINGER_MS"] == ["250", "default"]
    assert lines["DUTCHBOOK_INTENT_KEY_FILE"] == ["not", "set"]
    assert lines["DUTCHBOOK_REDIS_URL"] == ["redis://h:6379/0", "environment"]
    executor = {line.split()[0]: line.split()[1:] for line in lines_of(settings_of("kalshi_executor", REDIS))}
    assert executor["KALSHI_EXECUTOR_LEDGER_FILE"] == ["MUST", "BE", "SET"]
