"""Strict YAML refuses what a person could not have meant, by file and line, and turns nothing into a non-text."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.io import yaml_strict
from shared.io.yaml_strict import LARGEST_BYTES, Document, YamlRefused, convert, parse

LOADERS = (yaml.CSafeLoader, yaml.SafeLoader)
"""Where PyYAML comes without libyaml, its own parser must read the same."""
MAPPINGS = Path(__file__).parents[3] / "mappings"


class Side(msgspec.Struct, forbid_unknown_fields=True):
    ticker: str
    outcomes: list[str] = []


class File(msgspec.Struct, forbid_unknown_fields=True):
    pairs: list[Side]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key `a` again (first on line 1)"),
        ("a:\n  x: 1\n  x: 1\n", 3, "key `x` again"),
        ("a: &here 1\nb: 2\n", 1, "anchor &here"),
        ("a: 1\nb: *here\n", 2, "alias *here"),
        ("a: &l [1]\nb: [*l, *l]\n", 1, "anchor &l"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !!int 1\n", 1, "tag"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "a key that is no text"),
        ("<<: {a: 1}\n<<: {b: 1}\n", 2, "key `<<` again"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("%YAML 1.1\n---\na: 1\n", 1, "a directive"),
        ("a: [1, 2\nb: 3\n", 2, "correct the syntax"),
        ("a:\n\t- b\n", 2, "correct the syntax"),
        ("\n".join("  " * depth + "a:" for depth in range(30)), 21, "nested deeper than 20"),
    ],
)
@pytest.mark.parametrize("loader", LOADERS)
def test_what_is_not_plain_is_refused_with_file_and_line(
    text: str, line: int, said: str, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_strict, "Loader", loader)
    with pytest.raises(YamlRefused) as refused:
        parse("mappings/pairs/x.yaml", text.encode())
    assert str(refused.value).startswith(f"mappings/pairs/x.yaml:{line}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "0x9c",
        "no",
        "yes",
        "off",
        "true",
        "2026-12-10",
        "12:30:45",
        "1e5",
        "0o17",
        "1_000",
        ".inf",
        "4" * 77,
        "=",
        "1.5",
    ],
)
def test_m03_an_unquoted_value_stays_the_text_that_was_written(written: str) -> None:
    assert parse("f", f"a: {written}\nb: [{written}]\n".encode()).value == {"a": written, "b": [written]}


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_an_unquoted_null_means_not_given_and_a_quoted_one_is_text(written: str) -> None:
    assert parse("f", f"a: {written}\nb: '{written}'\n".encode()).value == {"a": None, "b": written}


def test_m04_an_alias_bomb_and_a_huge_file_are_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    started = time.monotonic()
    for content in (bomb.encode(), b"a: " + b"x" * (50 * 1024 * 1024), b"a: !!python/name:os.system\n"):
        with pytest.raises(YamlRefused):
            parse("f", content)
    assert time.monotonic() - started < 1


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    content = b"a: " + b"x" * (LARGEST_BYTES - 3)
    assert len(parse("f", content).value["a"]) == LARGEST_BYTES - 3
    with pytest.raises(YamlRefused, match="split the file"):
        parse("f", content + b"x")


def test_a_file_that_is_not_utf_8_is_refused_on_its_line() -> None:
    with pytest.raises(YamlRefused, match=r"f:2: not UTF-8"):
        parse("f", b"a: 1\nb: \xff\n")


def test_control_characters_are_refused() -> None:
    with pytest.raises(YamlRefused, match=r"f:\d"):
        parse("f", b"a: \x07\n")


def test_an_unknown_key_is_refused_on_its_line() -> None:
    document = parse("x.yaml", b"pairs:\n  - ticker: A\n    outcomes: [B]\n    tikcer: C\n")
    with pytest.raises(YamlRefused, match=r"x\.yaml:4: unknown key `tikcer`"):
        convert(document, File)


def test_a_value_of_the_wrong_shape_is_refused_on_its_line() -> None:
    document = parse("x.yaml", b"pairs:\n  - ticker: A\n  - ticker:\n      deep: B\n")
    with pytest.raises(YamlRefused, match=r"x\.yaml:[34]: Expected `str`, got `object`"):
        convert(document, File)


def test_a_missing_key_is_refused_on_the_line_of_its_table() -> None:
    with pytest.raises(YamlRefused, match=r"x\.yaml:2: .*missing required field `ticker`"):
        convert(parse("x.yaml", b"pairs:\n  - outcomes: [B]\n"), File)


def test_an_empty_file_is_refused_when_something_is_expected() -> None:
    with pytest.raises(YamlRefused, match=r"x\.yaml:1: Expected `object`"):
        convert(parse("x.yaml", b"# nothing\n"), File)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_refuse(content: bytes) -> None:
    with suppress(YamlRefused):
        assert parse("f", content).line("$") >= 1


@given(st.text(alphabet="ab:-[]{}&*!#'\"| \n?,~%", max_size=60))
def test_no_text_of_yaml_marks_yields_anything_but_tables_lists_and_text(text: str) -> None:
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(held) for key, held in value.items())
        if isinstance(value, list):
            return all(plain(held) for held in value)
        return value is None or isinstance(value, str)

    try:
        document = parse("f", text.encode())
    except YamlRefused:
        return
    assert plain(document.value)


def both_ways(content: bytes) -> list[Document]:
    found = []
    for loader in LOADERS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml_strict, "Loader", loader)
            found.append(parse("f", content))
    return found


plain_text = st.text(alphabet="abz01.:-# 'é", max_size=12)
documents = st.recursive(
    st.none() | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_whatever_was_written_is_read_alike_with_and_without_libyaml(value: Any) -> None:
    content = yaml.safe_dump(value, allow_unicode=True).encode()
    fast, plain = both_ways(content)
    assert fast.value == plain.value == value
    assert fast == plain  # with every line


def test_the_shipped_mappings_are_read_alike_with_and_without_libyaml() -> None:
    for path in sorted(MAPPINGS.glob("**/*.yaml")):
        fast, plain = both_ways(path.read_bytes())
        assert fast == plain, path


def test_a_line_is_found_for_keys_that_look_like_paths() -> None:
    document = parse("f", b'a.b: 1\n"c[0]":\n  "d.e]": 2\nc:\n  - 3\n')
    lines = {path: document.line(path) for path in ("$.a.b", "$.c[0].d.e]", "$.c[1].x", "$.zz")}
    assert lines == {"$.a.b": 1, "$.c[0].d.e]": 3, "$.c[1].x": 5, "$.zz": 1}
