"""docker-compose.yml: every container is hardened, nothing is published, and the real Compose program accepts it.

The Compose program comes with the development lock; where neither it nor a ``docker compose`` plugin is found, what
needs it is skipped and says so. No container engine is needed: the file is read, checked and resolved, not started.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import yaml

from shared.runtime.redis_server import find_redis_server

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
NOT_CONTAINERS = {"cli"}
"""Folders under services/ that are commands for people."""

WITHOUT_A_WAY_OUT = {
    "redis",
    "matcher",
    "arb_detector",
    "kalshi_executor",
    "venue_sim",
    "demo_kalshi_feed",
    "demo_polymarket_feed",
}
SECRETS = {
    "redis": {"redis_own_password"},
    "arb_detector": {"redis_password", "intent_key"},
    "kalshi_executor": {"redis_password", "intent_key"},
    "kalshi_feed": {"redis_password", "kalshi_read_key"},
    "alerts": {"redis_password", "slack_webhook_url"},
    "venue_sim": set(),
}
OF_ANY_SERVICE = {"redis_password"}


@functools.cache
def containers() -> dict[str, dict[str, Any]]:
    """Return the services of the file as it is written, with its anchors applied."""
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    assert isinstance(services, dict)
    return services


def names() -> list[str]:
    return sorted(containers())


def compose_program() -> list[str]:
    """Return the command of the real Compose program, or skip."""
    beside_python = Path(sys.executable).with_name("docker-compose")
    for command in ([str(beside_python)], ["docker-compose"], ["docker", "compose"]):
        if shutil.which(command[0]) is None:
            continue
        said = subprocess.run([*command, "version"], capture_output=True, text=True, check=False)
        if said.returncode == 0 and re.search(r"Compose version v?[2-9]", said.stdout):
            return command
    pytest.skip("no Docker Compose 2 or newer found: `make setup` brings one on Linux and macOS")


def resolve(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let Compose read ``text`` with all profiles and print what it understood as JSON."""
    file = folder / "docker-compose.yml"
    file.write_text(text)
    return subprocess.run(
        [*compose_program(), "--file", str(file), "--profile", "*", "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def resolved(folder: Path, **variables: str) -> dict[str, Any]:
    said = resolve(COMPOSE_FILE.read_text(), folder, **variables)
    assert said.returncode == 0, said.stderr
    found = msgspec.json.decode(said.stdout)
    assert isinstance(found, dict)
    return found


def test_every_service_folder_has_a_container() -> None:
    folders = {path.parent.name for path in ROOT.glob("services/*/__init__.py")} - NOT_CONTAINERS
    assert folders <= set(containers())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("security_opt", ["no-new-privileges:true"]),
        ("restart", "unless-stopped"),
        ("privileged", None),
        ("cap_add", None),
        ("pid", None),
        ("ipc", None),
        ("devices", None),
        ("ports", None),
    ],
)
@pytest.mark.parametrize("name", names())
def test_every_container_is_hardened(name: str, key: str, value: object) -> None:
    assert containers()[name].get(key) == value


@pytest.mark.parametrize(
    "key", ["pids_limit", "mem_limit", "cpus", "user", "healthcheck", "tmpfs", "logging", "stop_grace_period"]
)
@pytest.mark.parametrize("name", names())
def test_every_container_has_limits_a_user_and_a_health_check(name: str, key: str) -> None:
    assert containers()[name].get(key)


@pytest.mark.parametrize("name", names())
def test_no_container_runs_as_root(name: str) -> None:
    uid, _, gid = containers()[name]["user"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0


@pytest.mark.parametrize("name", names())
def test_only_who_must_talk_to_the_world_can(name: str) -> None:
    container = containers()[name]
    if "network_mode" in container:
        assert container["network_mode"] == "service:venue_sim"
    has_way_out = "internet" in container.get("networks", [])
    assert has_way_out is (name not in WITHOUT_A_WAY_OUT)


@pytest.mark.parametrize("name", names())
def test_secrets_reach_only_who_needs_them_and_never_by_value(name: str) -> None:
    container = containers()[name]
    assert set(container.get("secrets", [])) == SECRETS.get(name, OF_ANY_SERVICE)
    for variable, value in container.get("environment", {}).items():
        if re.search(r"KEY|SECRET|WEBHOOK|TOKEN|PASSWORD", variable):
            assert variable.endswith(("_FILE", "_ID"))
            assert "PRIVATE KEY" not in value


def test_the_executor_is_in_dry_run_with_a_ledger_of_its_own() -> None:
    executor = containers()["kalshi_executor"]
    assert executor["environment"]["KALSHI_EXECUTOR_MODE"] == "dry"
    ledger = Path(executor["environment"]["KALSHI_EXECUTOR_LEDGER_FILE"])
    assert executor["volumes"] == [f"ledger:{ledger.parent}"]
    assert [
        name for name in names() if any(v.startswith("ledger:") for v in containers()[name].get("volumes", []))
    ] == ["kalshi_executor"]


def test_the_bus_has_no_way_to_the_world() -> None:
    assert yaml.safe_load(COMPOSE_FILE.read_text())["networks"]["bus"] == {"internal": True}


def test_a_profile_chooses_between_the_venues_and_their_simulation() -> None:
    profiles = {name: container.get("profiles") for name, container in containers().items()}
    assert {name for name, profile in profiles.items() if profile == ["venues"]} == {"kalshi_feed", "polymarket_feed"}
    assert {name for name, profile in profiles.items() if profile == ["demo"]} == {
        "venue_sim",
        "demo_kalshi_feed",
        "demo_polymarket_feed",
    }


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    found = resolved(tmp_path)
    assert set(found["services"]) == set(containers())
    assert found["services"]["kalshi_feed"]["environment"]["KALSHI_PROD_KEY_FILE"] == ""
    assert found["secrets"]["intent_key"]["file"] == str(tmp_path / "secrets/intent_key")


def test_a_password_of_redis_is_used_by_everybody_when_its_variables_are_set(tmp_path: Path) -> None:
    without = resolved(tmp_path)["services"]
    found = resolved(tmp_path, DUTCHBOOK_REDIS_PASSWORD_FILE="/p", REDIS_OWN_PASSWORD_FILE="/o")
    for name in names():
        if name not in ("redis", "venue_sim"):
            assert without[name]["environment"]["DUTCHBOOK_REDIS_PASSWORD_FILE"] == ""
            secret = found["services"][name]["environment"]["DUTCHBOOK_REDIS_PASSWORD_FILE"]
            assert secret == "/run/secrets/redis_password"
    assert found["secrets"]["redis_password"]["file"] == "/p"
    assert found["secrets"]["redis_own_password"]["file"] == "/o"


def test_a_key_and_a_webhook_are_used_when_their_variables_are_set(tmp_path: Path) -> None:
    found = resolved(tmp_path, KALSHI_PROD_KEY_ID="k", KALSHI_PROD_KEY_FILE="/k.pem", SLACK_WEBHOOK_URL_FILE="/w")
    assert found["services"]["kalshi_feed"]["environment"]["KALSHI_PROD_KEY_FILE"] == "/run/secrets/kalshi_read_key"
    assert (
        found["services"]["alerts"]["environment"]["ALERTS_SLACK_WEBHOOK_URL_FILE"] == "/run/secrets/slack_webhook_url"
    )
    assert found["secrets"]["kalshi_read_key"]["file"] == "/k.pem"
    assert found["secrets"]["slack_webhook_url"]["file"] == "/w"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  read_only: true", "  read_onyl: true"),
        ("    internal: true", "    internal: perhaps"),
        ("networks: [bus]", "networks: [buss]"),
        ("  ledger: {}\n", ""),
    ],
)
def test_compose_would_notice_a_mistake(right: str, wrong: str, tmp_path: Path) -> None:
    text = COMPOSE_FILE.read_text()
    assert right in text
    said = resolve(text.replace(right, wrong, 1), tmp_path)
    assert said.returncode != 0
    assert said.stderr


@pytest.mark.parametrize("password", ["", "a-long-one"])
def test_a_real_server_takes_the_settings_and_the_password_that_the_file_gives_redis(
    tmp_path: Path, password: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text(password and f"{password}\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(find_redis_server())
    script, name, *arguments = containers()["redis"]["command"]
    assert name == "redis-server"
    script = script.replace("$$", "$").replace("/run/secrets/redis_own_password", str(secret))
    socket_path = tmp_path / "r.sock"
    private = ["--port", "0", "--unixsocket", str(socket_path), "--dir", str(tmp_path)]
    with subprocess.Popen(
        [*containers()["redis"]["entrypoint"], script, name, *arguments, *private],
        stdout=subprocess.PIPE,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
    ) as server:
        try:
            assert server.stdout is not None
            assert any(b"eady to accept connections" in line for line in server.stdout), "it ended at once"
            shown = Path(f"/proc/{server.pid}/cmdline")
            assert not password or not shown.exists() or password.encode() not in shown.read_bytes()
            with redis.Redis.from_url(f"unix://{socket_path}", decode_responses=True) as stranger:
                if password:
                    with pytest.raises(redis.AuthenticationError):
                        stranger.ping()
            with redis.Redis.from_url(f"unix://:{password}@{socket_path}", decode_responses=True) as client:
                said = client.config_get("*")
        finally:
            server.terminate()
    assert isinstance(said, dict)
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "536870912",
        "maxmemory-policy": "noeviction",
        "maxmemory-clients": "10%",
        "maxclients": "200",
    }
    assert {name: said[name] for name in wanted} == wanted


def test_the_image_runs_as_the_user_that_compose_names_and_starts_the_command() -> None:
    dockerfile = (ROOT / "services/Dockerfile").read_text()
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["dutchbook"\]$', final, re.MULTILINE)
    assert "--require-hashes" in dockerfile
    assert not re.search(r"\bapt(-get)?\b|\bgcc\b", dockerfile)
