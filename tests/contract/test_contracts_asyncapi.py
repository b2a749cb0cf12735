"""The AsyncAPI document is generated from the types and says what is true of the streams."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from shared.contracts import streams
from shared.contracts.asyncapi import PARAMETERS, RENEW, as_yaml, channels, document, message_types
from shared.contracts.quotes import Quote
from shared.contracts.streams import Stream

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ROOT / "docs" / "asyncapi.yaml"


def streams_of_the_table() -> list[Stream[Any]]:
    """Return every stream that ``shared.contracts.streams`` offers, whatever holds or makes it."""

    def inside(value: Any) -> list[Stream[Any]]:
        if isinstance(value, Stream):
            return [value]
        if isinstance(value, dict):
            return [found for one in value.values() for found in inside(one)]
        return [found for one in value for found in inside(one)] if isinstance(value, tuple) else []

    constants = [found for name, value in vars(streams).items() if name.isupper() for found in inside(value)]
    makers = [
        value
        for value in vars(streams).values()
        if callable(value)
        and getattr(value, "__module__", "") == streams.__name__
        and getattr(get_type_hints(value).get("return"), "__origin__", None) is Stream
    ]
    assert len(makers) == 2
    return constants + [maker("main") for maker in makers]


def addresses(channel: dict[str, Any]) -> set[str]:
    """Return the names that a channel's address stands for."""
    parameters = channel.get("parameters", {})
    values = [[(name, value) for value in fact.get("enum", [fact.get("default")])] for name, fact in parameters.items()]
    found = set()
    for chosen in product(*values):
        address = channel["address"]
        for name, value in chosen:
            address = address.replace(f"{{{name}}}", value)
        found.add(address)
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(one) for one in value.values()))
    return set().union(*(references(one) for one in value)) if isinstance(value, list) else set()


def test_the_document_is_as_fresh_as_the_types() -> None:
    assert WRITTEN.read_text() == as_yaml(document()), f"{WRITTEN} is stale; renew it with: {RENEW}"


def test_the_command_that_renews_the_document_writes_it_to_stdout() -> None:
    module, target = RENEW.split()[2], RENEW.split()[-1]
    assert ROOT / target == WRITTEN
    made = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == WRITTEN.read_text()
    assert made.stderr == ""


def test_the_text_is_yaml_for_the_same_document() -> None:
    assert yaml.safe_load(as_yaml(document())) == document()


def test_every_stream_of_the_table_is_a_channel_under_its_own_name() -> None:
    described = {name for channel in document()["channels"].values() for name in addresses(channel)}
    assert described == {stream.name for stream in streams_of_the_table()}


def test_a_family_of_streams_has_one_kind_of_message_and_one_trimming() -> None:
    named = {channel.stream.name: channel for channel in channels().values()}
    for stream in streams_of_the_table():
        one = next(channel for name, channel in named.items() if name.split(":")[2] == stream.name.split(":")[2])
        assert message_types(stream) == message_types(one.stream)
        assert stream.keep == one.stream.keep


def test_the_latest_values_are_where_the_streams_say() -> None:
    described = {name: channel.get("x-latest", "") for name, channel in document()["channels"].items()}
    assert described["catalog"].replace("{venue}", "kalshi") == streams.CATALOG[streams.Venue.KALSHI].hash_name
    assert described["opportunities"] == streams.OPPORTUNITIES.hash_name
    key = described["quotes"].replace("{part}", "{p07}").replace("{venue}", "kalshi").replace("{market_id}", "T")
    assert key == streams.book_key("kalshi", "T", 7)


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    found = references(whole)
    assert found
    for reference in found:
        value: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]
        assert value


def test_every_service_that_sends_or_receives_exists_or_is_planned() -> None:
    planned = {"dashboard", "recorder"}
    there = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}
    assert {name.split(".")[0] for name in document()["operations"]} <= there | planned


def test_levels_are_pairs_in_the_words_of_json_schema_draft_7() -> None:
    schema = document()["components"]["schemas"][Quote.__name__]
    level = schema["properties"]["yes_bids"]["items"]
    assert level["items"] == [{"type": "string", "format": "decimal"}] * 2
    assert level["additionalItems"] is False
    assert "prefixItems" not in as_yaml(document())


def test_only_intents_refuse_unknown_fields() -> None:
    schemas = document()["components"]["schemas"]
    strict = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert strict == {"HedgedIntent", "IntentLeg"}


def test_every_parameter_is_used_and_explained() -> None:
    used = {name for channel in document()["channels"].values() for name in channel.get("parameters", {})}
    assert used == set(PARAMETERS)
    assert all(fact["description"] for fact in PARAMETERS.values())


def test_the_command_refuses_arguments_in_one_line() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "shared.contracts.asyncapi", "docs/asyncapi.yaml"],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert made.stdout == ""
    assert made.stderr == f"this takes no arguments; use: {RENEW}\n"


@pytest.mark.parametrize("name", sorted(channels()))
def test_every_channel_says_what_it_promises(name: str) -> None:
    channel = document()["channels"][name]
    assert channel["summary"].endswith(".")
    assert channel["description"].endswith(".")
