"""``dutchbook up``: what it would start and whom it would ask is decided, and said, before anything is started."""

from pathlib import Path

import pytest

from services.cli.up_plan import Plan, plan_of
from shared.runtime.errors import Halted, SettingsRefused

LOCAL = {
    "KALSHI_REST_URL": "http://127.0.0.1:1/trade-api/v2",
    "KALSHI_WS_URL": "ws://127.0.0.1:1/trade-api/ws/v2",
    "POLYMARKET_GAMMA_URL": "http://localhost:2/gamma",
    "POLYMARKET_CLOB_URL": "http://[::1]:2",
    "POLYMARKET_WS_URL": "ws://127.0.0.1:2/ws/market",
}
FOLDER = Path("/data/run")


def plan(*, live_data: bool = False, folder: Path | None = FOLDER, redis_url: str = "", **environ: str) -> Plan:
    return plan_of(environ, folder=folder, redis_url=redis_url, live_data=live_data)


def line(found: Plan, name: str) -> str:
    [text] = [line for line in found.lines if line.split()[0] == name]
    return text


def test_consent_means_the_real_exchange_unless_something_names_another() -> None:
    assert plan(live_data=True).environ["KALSHI_ENV"] == "prod"
    assert "https://external-api.kalshi.com/trade-api/v2" in plan(live_data=True).hosts
    assert "KALSHI_ENV" not in plan().environ
    for environ in ({"KALSHI_ENV": "demo"}, {"KALSHI_DEMO_KEY_ID": "x"}, LOCAL):
        found = plan(live_data=True, **environ)
        assert "KALSHI_ENV" not in found.environ
        assert "the demo environment" in line(found, "kalshi")


def test_only_addresses_of_this_machine_are_local_and_one_other_is_enough_not_to_be() -> None:
    assert plan(**LOCAL).is_local
    assert not plan().is_local
    for missing in LOCAL:
        assert not plan(**{name: url for name, url in LOCAL.items() if name != missing}).is_local


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "user@example.com"])
def test_a_name_that_looks_like_this_machine_is_not_local(host: str) -> None:
    try:
        found = plan(**{**LOCAL, "POLYMARKET_CLOB_URL": f"https://{host}"})
    except SettingsRefused:
        return
    assert not found.is_local


def test_orders_are_simulated_whatever_the_environment_says() -> None:
    assert plan().environ["KALSHI_EXECUTOR_MODE"] == "dry"
    assert plan(KALSHI_EXECUTOR_MODE="dry").environ["KALSHI_EXECUTOR_MODE"] == "dry"
    with pytest.raises(Halted, match="KALSHI_EXECUTOR_MODE=live") as refused:
        plan(KALSHI_EXECUTOR_MODE="live")
    assert refused.value.exit_status == 3


def test_the_environment_wins_and_the_rest_lies_in_the_folder() -> None:
    found = plan()
    assert found.environ["KALSHI_EXECUTOR_LEDGER_FILE"] == "/data/run/ledger.sqlite3"
    assert found.environ["DUTCHBOOK_INTENT_KEY_FILE"] == "/data/run/intent.key"
    assert "/data/run" in line(found, "files")
    found = plan(KALSHI_EXECUTOR_LEDGER_FILE="/mine/l", DUTCHBOOK_INTENT_KEY_FILE="/mine/k", MATCHER_MAPPINGS_DIR="/m")
    assert found.environ.keys().isdisjoint({"KALSHI_EXECUTOR_LEDGER_FILE", "DUTCHBOOK_INTENT_KEY_FILE"})
    assert "the ledger is /mine/l" in line(found, "files")
    assert "mappings in /m" in line(found, "pairs")
    assert "temporary folder" in line(plan(folder=None), "files")


def test_redis_is_the_named_one_shown_without_its_password_or_a_private_one() -> None:
    named = plan(DUTCHBOOK_REDIS_URL="redis://me:s3cret@h:6379/0")
    assert "DUTCHBOOK_REDIS_URL" not in named.environ
    assert "redis://…@h:6379/0" in line(named, "redis")
    assert "s3cret" not in "".join(named.lines)
    private = plan(redis_url="unix:///run/redis.sock", DUTCHBOOK_REDIS_PASSWORD_FILE="/p")
    assert private.environ["DUTCHBOOK_REDIS_URL"] == "unix:///run/redis.sock"
    assert private.environ["DUTCHBOOK_REDIS_PASSWORD_FILE"] == "", "a private server asks for none"
    assert "/data/run/redis" in line(private, "redis")
    assert "keeps nothing" in line(plan(folder=None), "redis")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "polled, for want of a key"),
        ({"KALSHI_DEMO_KEY_ID": "x"}, "streamed with your key"),
        ({"KALSHI_ENV": "prod", "KALSHI_PROD_KEY_ID": "x"}, "the real exchange, books streamed with your key"),
    ],
)
def test_how_kalshis_books_come_is_said(environ: dict[str, str], says: str) -> None:
    assert says in line(plan(**environ), "kalshi")


def test_where_alerts_go_and_that_nothing_is_ordered_is_said() -> None:
    assert "the log" in line(plan(), "alerts")
    assert "Slack" in line(plan(ALERTS_SLACK_WEBHOOK_URL_FILE="/w"), "alerts")
    assert line(plan(), "orders").split()[1] == "none:"
    assert "templates of KXNBAGAME" in line(plan(MATCHER_TEMPLATES_ON="KXNBAGAME"), "pairs")


def test_an_address_that_may_not_be_asked_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="KALSHI_REST_URL"):
        plan(live_data=True, KALSHI_REST_URL="https://example.com/trade-api/v2")
