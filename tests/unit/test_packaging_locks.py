"""The locks hold every dependency of pyproject.toml, pinned by hash, and say nothing about where they were made."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("demo", "dev")}
ENTRY = re.compile(
    r"^(?P<requirement>[A-Za-z0-9].*?)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.MULTILINE
)


def pins(lock: str) -> dict[str, Version]:
    """Return name -> pinned version of every entry of a lock."""
    found: dict[str, Version] = {}
    for entry in ENTRY.finditer(lock):
        requirement = Requirement(entry["requirement"])
        [specifier] = requirement.specifier
        assert specifier.operator == "==", entry["requirement"]
        found[canonicalize_name(requirement.name)] = Version(specifier.version)
    return found


def missing(lock: str, declared: list[str]) -> list[str]:
    """Return the declared requirements that no pin of ``lock`` satisfies."""
    pinned = pins(lock)
    wanted = [Requirement(text) for text in declared]
    return [
        str(one)
        for one in wanted
        if canonicalize_name(one.name) != "dutchbook"
        and pinned.get(canonicalize_name(one.name), Version("0")) not in one.specifier
    ]


def foreign_words(lock: str) -> list[str]:
    """Return what a lock must not name: an address, an index, a folder of the machine that made it."""
    return re.findall(r"\w+://\S*|^--?\w.*|^-\w.*|\S*/(?:home|tmp|opt|root|work|Users)/\S*", lock, re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_everything_the_project_declares(name: str) -> None:
    declared = [
        *PROJECT["dependencies"],
        *(one for extra in LOCKS[name] for one in PROJECT["optional-dependencies"][extra]),
    ]
    assert missing((ROOT / name).read_text(), declared) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    entries = list(ENTRY.finditer((ROOT / name).read_text()))
    assert [entry["requirement"] for entry in entries if not entry["hashes"]] == []
    assert len(entries) >= len(PROJECT["dependencies"])


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry_and_no_folder(name: str) -> None:
    assert foreign_words((ROOT / name).read_text()) == []


def test_both_locks_pin_the_same_versions() -> None:
    runtime, development = (pins((ROOT / name).read_text()) for name in LOCKS)
    assert runtime.items() <= development.items()


def test_the_build_tools_of_the_project_are_locked_too() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert missing((ROOT / "requirements-dev.lock").read_text(), [*build, "editables"]) == []


def test_a_lock_that_lacks_or_undercuts_a_dependency_is_noticed() -> None:
    digest = "0" * 64
    lock = f"redis==8.0.0 ; sys_platform == 'linux' \\\n    --hash=sha256:{digest}\n    # via dutchbook\n"
    assert missing(lock, ["redis[hiredis]>=8", "dutchbook[demo]"]) == []
    assert missing(lock, ["redis>=8.1", "websockets>=17"]) == ["redis>=8.1", "websockets>=17"]
    assert not next(ENTRY.finditer("redis==8.0.0\n"))["hashes"]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links /opt/mirror",
        "-i mirror",
        "#    uv pip compile /home/me/pyproject.toml",
    ],
)
def test_a_lock_with_an_address_or_a_folder_is_noticed(line: str) -> None:
    assert foreign_words(f"# header\n{line}\nredis==8.0.0\n")
