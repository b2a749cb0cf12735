"""Settings are refused by the name of the variable, with what was found and what is expected, and no secret."""

import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from shared.runtime.errors import SettingsRefused
from shared.runtime.settings import (
    RedisUrl,
    Secret,
    SharedVariable,
    read_intent_key,
    read_secret_file,
    read_settings,
    variable_name,
)

SECRET = b"correct horse battery staple"


class Mood(StrEnum):
    CALM = "calm"
    BRAVE = "brave"


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    redis_url: RedisUrl
    port: int = 1
    price_dollars: Decimal = Decimal("0.5")
    loud: bool = False
    folder: Path | None = None
    mood: Mood = Mood.CALM
    role: Literal["taker", "maker"] = "taker"
    env: Annotated[str, SharedVariable("KALSHI_ENV")] = "demo"

    def __post_init__(self) -> None:
        if self.port < 0:
            raise ValueError(f"TEST_PORT={self.port}: expected 0 or more")


GIVEN = {"DUTCHBOOK_REDIS_URL": "unix:///run/redis.sock"}


def read(environ: Mapping[str, str] = GIVEN, **more: str) -> Everything:
    return read_settings(Everything, {**environ, **more}, prefix="test")


def refusal(environ: Mapping[str, str] = GIVEN, **more: str) -> str:
    with pytest.raises(SettingsRefused) as refused:
        read(environ, **more)
    assert refused.value.exit_status == 2
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_what_is_not_set_has_its_default() -> None:
    assert read() == Everything(redis_url=GIVEN["DUTCHBOOK_REDIS_URL"])


def test_every_kind_of_value_is_read() -> None:
    settings = read(
        TEST_PORT="8080",
        TEST_PRICE_DOLLARS="0.25",
        TEST_LOUD="Yes",
        TEST_FOLDER="/var/lib/x",
        TEST_MOOD="brave",
        TEST_ROLE="maker",
        KALSHI_ENV="prod",
    )
    assert settings == Everything(
        redis_url=GIVEN["DUTCHBOOK_REDIS_URL"],
        port=8080,
        price_dollars=Decimal("0.25"),
        loud=True,
        folder=Path("/var/lib/x"),
        mood=Mood.BRAVE,
        role="maker",
        env="prod",
    )


@pytest.mark.parametrize("environ", [{}, {"DUTCHBOOK_REDIS_URL": ""}])
def test_what_must_be_set_is_asked_for_by_name(environ: dict[str, str]) -> None:
    assert refusal(environ) == "DUTCHBOOK_REDIS_URL is not set"


def test_an_empty_variable_is_an_unset_one() -> None:
    assert read(TEST_PORT="", TEST_PRICE_DOLLARS="", TEST_LOUD="", TEST_FOLDER="") == read()


@pytest.mark.parametrize("text", ["abc", "1.5", " 5", "1_0", "٣", "0x10", "nan"])
def test_a_wrong_whole_number_is_refused(text: str) -> None:
    said = refusal(TEST_PORT=text)
    assert said.startswith(f"TEST_PORT={text!r}: ")
    assert "int" in said


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "1E999999", "1e2", "Infinity", "-0.5", "0_5", " 0.5", "٠.٥", ".5", "5."]
)
def test_a_decimal_passes_the_strict_gate_or_is_refused(text: str) -> None:
    said = refusal(TEST_PRICE_DOLLARS=text)
    assert said.startswith(f"TEST_PRICE_DOLLARS={text!r}: ")
    assert "not a plain decimal number" in said


@pytest.mark.parametrize(
    ("word", "means"),
    [("1", True), ("true", True), ("TRUE", True), ("on", True), ("0", False), ("no", False), ("Off", False)],
)
def test_words_for_yes_and_no(word: str, means: bool) -> None:
    assert read(TEST_LOUD=word).loud is means


@pytest.mark.parametrize("word", ["2", "y", "ja", "true ", "enabled", "-1"])
def test_another_word_is_not_taken_for_no(word: str) -> None:
    assert refusal(TEST_LOUD=word) == f"TEST_LOUD={word!r}: expected true or false"


def test_a_wrong_choice_is_refused() -> None:
    assert refusal(TEST_MOOD="angry") == "TEST_MOOD='angry': expected one of calm, brave"
    assert refusal(TEST_ROLE="both") == "TEST_ROLE='both': expected one of taker, maker"


@pytest.mark.parametrize(
    ("variable", "hint"), [("TEST_PROT", "; did you mean TEST_PORT?"), ("TEST_QQQQQQQQ", ""), ("TEST_ROLE_", None)]
)
def test_a_misspelled_setting_is_refused_and_not_left_at_its_default(variable: str, hint: str | None) -> None:
    said = refusal(**{variable: "9"})
    assert said.startswith(f"{variable} is not a setting of test")
    assert hint is None or said.endswith(f"of test{hint}")


def test_an_empty_variable_that_is_no_setting_says_nothing() -> None:
    assert read(TEST_PROT="") == read()


def test_a_line_break_in_a_value_stays_one_line() -> None:
    assert "a\\nb" in refusal(TEST_PORT="a\nb")


def test_what_settings_refuse_together_is_refused_by_their_own_words() -> None:
    assert refusal(TEST_PORT="-1") == "TEST_PORT=-1: expected 0 or more"


def test_a_field_is_named_for_the_service_unless_services_share_it() -> None:
    assert variable_name(int, "kalshi_feed", "silent_s") == "KALSHI_FEED_SILENT_S"
    assert variable_name(Annotated[int, "a note"], "kalshi_feed", "silent_s") == "KALSHI_FEED_SILENT_S"
    assert variable_name(RedisUrl, "kalshi_feed", "redis_url") == "DUTCHBOOK_REDIS_URL"


def test_another_services_variables_are_not_read() -> None:
    assert read(OTHER_PORT="9", PORT="9") == read()


def secret_file(folder: Path, *, content: bytes = SECRET, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def as_symlink(folder: Path) -> Path:
    link = folder / "link"
    link.symlink_to(secret_file(folder))
    return link


def as_folder(folder: Path) -> Path:
    made = folder / "folder"
    made.mkdir(mode=0o700)
    return made


def as_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe", mode=0o600)
    return folder / "pipe"


@pytest.mark.parametrize(
    "pasted",
    [
        "https://hooks.slack.com/services/T000/B000/never-to-be-shown",
        "-----BEGIN PRIVATE KEY-----\nnever-to-be-shown",
        "0123456789abcdef" * 4,
        "never-to-be-shown\nin two lines",
    ],
)
def test_a_secret_in_place_of_its_file_is_refused_and_not_shown(pasted: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_secret_file(Path(pasted), "KEY_FILE")
    assert str(refused.value) == ("KEY_FILE: expected the path of a file, and what is there looks like its contents")


@pytest.mark.parametrize("path", ["/run/secrets/intent_key", "secrets/kalshi.pem", "C:\\secrets\\k.pem", "a" * 31])
def test_an_ordinary_path_is_taken_for_one(path: str) -> None:
    with pytest.raises(SettingsRefused, match="No such file"):
        read_secret_file(Path(path), "KEY_FILE")


def test_a_secret_is_read_whole(tmp_path: Path) -> None:
    assert read_secret_file(secret_file(tmp_path), "KEY_FILE").reveal() == SECRET


def test_a_secret_of_the_largest_size_is_read(tmp_path: Path) -> None:
    assert len(read_secret_file(secret_file(tmp_path, content=b"x" * 65_536), "KEY_FILE").reveal()) == 65_536


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_for_its_owner_alone_is_accepted(tmp_path: Path, mode: int) -> None:
    assert read_secret_file(secret_file(tmp_path, mode=mode), "KEY_FILE").reveal() == SECRET


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "gone", "No such file or directory"),
        (lambda folder: secret_file(folder) / "below", "Not a directory"),
        (as_symlink, "is a symlink; name the file itself"),
        (as_folder, "is not a regular file"),
        (as_pipe, "is not a regular file"),
        (lambda folder: secret_file(folder, mode=0o644), "has mode 0644; others must not read it: chmod 600 "),
        (lambda folder: secret_file(folder, mode=0o640), "has mode 0640"),
        (lambda folder: secret_file(folder, mode=0o601), "has mode 0601"),
        (lambda folder: secret_file(folder, content=b""), "holds 0 bytes; expected 1 to 65536"),
        (lambda folder: secret_file(folder, content=SECRET * 3_000), "holds 84000 bytes; expected 1 to 65536"),
    ],
)
def test_a_secret_that_is_not_kept_well_is_refused(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(SettingsRefused) as refused:
        read_secret_file(path, "KALSHI_DEMO_KEY_FILE")
    text = str(refused.value)
    assert text.startswith("KALSHI_DEMO_KEY_FILE: ")
    assert str(path) in text
    assert says in text
    assert SECRET.decode() not in text


def test_a_file_that_vanishes_or_may_not_be_read_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    path = secret_file(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, who runs the tests in a container, may read every file
    with pytest.raises(SettingsRefused) as refused:
        read_secret_file(path, "KEY_FILE")
    assert str(refused.value) == f"KEY_FILE: cannot read {path}: Permission denied"


@pytest.mark.parametrize("shown", [repr, str, lambda secret: f"{secret}", lambda secret: f"{[secret]!r}"])
def test_a_secret_is_never_shown(shown: Callable[[Secret], str]) -> None:
    assert SECRET.decode() not in shown(Secret(SECRET))


def test_the_key_of_intents_is_every_byte_of_its_file_and_not_too_short(tmp_path: Path) -> None:
    assert read_intent_key(secret_file(tmp_path, content=b"0123456789abcde\n")).reveal() == b"0123456789abcde\n"
    with pytest.raises(SettingsRefused, match=r"DUTCHBOOK_INTENT_KEY_FILE: .* has 15 bytes; at least 16 are needed"):
        read_intent_key(secret_file(tmp_path, content=b"0123456789abcde"))
