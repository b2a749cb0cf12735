"""Alerts go to Slack or, where that is allowed, to a sink on this machine; never anywhere else."""

import pytest

from shared.io.webhook import UrlRefused, check_webhook_url

GOOD = "https://hooks.slack.com/services/T/B/secret"


def test_slack_is_always_admitted_and_loopback_where_allowed() -> None:
    check_webhook_url(GOOD, allow_local_sink=False)
    check_webhook_url("http://127.0.0.1:8080/services/T/B/x", allow_local_sink=True)


@pytest.mark.parametrize("allow_local_sink", [False, True])
@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/T/B/secret",
        "https://hooks.slack.com.evil.example/services/secret",
        "https://evil.example/hooks.slack.com/secret",
        "https://hooks.slack.com@evil.example/secret",
        "https://user:secret@hooks.slack.com/services",
        "https://hooks.slack.com:8443/secret",
        "https://127.0.0.1/secret",
        "http://127.0.0.1.evil.example/secret",
        "http://127.0.0.1@evil.example/secret",
        "http://169.254.169.254/secret",
        "http://localhost:80/secret",
        "http://[::1]/secret",
        "http://0.0.0.0/secret",
        "file:///secret",
        "hooks.slack.com/secret",
        "https://hooks.slack.com/sec ret",
        "https://hooks.slack.com/secret\n",
        "https://hooks.slack.com:port/secret",
        "https://[/secret",
        "",
    ],
)
def test_any_other_address_is_refused_without_being_repeated(url: str, allow_local_sink: bool) -> None:
    with pytest.raises(UrlRefused) as refused:
        check_webhook_url(url, allow_local_sink=allow_local_sink)
    assert "secret" not in str(refused.value)


def test_loopback_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(UrlRefused):
        check_webhook_url("http://127.0.0.1:8080/x", allow_local_sink=False)
