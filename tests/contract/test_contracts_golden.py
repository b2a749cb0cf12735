"""Every message type of every stream has an example that must always decode; a reader copes with what comes later."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.contracts.asyncapi import channels, message_types
from shared.contracts.envelope import Message
from shared.contracts.intents import HedgedIntent, is_authentic, key_id_of
from shared.contracts.quotes import Quote, QuoteText, levels_checksum
from shared.contracts.streams import Stream

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "contracts"
EXAMPLES = sorted(GOLDEN.glob("*/*.json"))
STREAMS: dict[str, Stream[Any]] = {name: channel.stream for name, channel in channels().items()}
KEY = b"golden-example-key-never-used-live"
"""Signed the example of an intent, and nothing else."""

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")


def decoded(path: Path) -> Message:
    message: Message = STREAMS[path.parent.name].decoder.decode(path.read_bytes())
    return message


def objects_in(value: Any, place: str = "") -> list[str]:
    """Return the places of all JSON objects inside ``value``, written as paths."""
    if isinstance(value, dict):
        return [place, *(found for name, one in value.items() for found in objects_in(one, f"{place}/{name}"))]
    if isinstance(value, list):
        return [found for at, one in enumerate(value) for found in objects_in(one, f"{place}/{at}")]
    return []


def at(value: Any, place: str) -> Any:
    for step in place.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


@pytest.mark.parametrize("stream", STREAMS)
def test_every_message_type_has_an_example(stream: str) -> None:
    wanted = {f"{kind.__struct_config__.tag}.v1.json" for kind in message_types(STREAMS[stream])}
    there = {path.name for path in EXAMPLES if path.parent.name == stream}
    assert wanted - there == set(), f"write an example into {GOLDEN / stream}"


def test_every_example_belongs_to_a_stream_and_is_named_for_its_type() -> None:
    assert EXAMPLES
    for path in EXAMPLES:
        kind = type(decoded(path))
        assert kind in message_types(STREAMS[path.parent.name])
        assert path.name.startswith(f"{kind.__struct_config__.tag}.v")


def older(value: Any, model: Any) -> Any:
    """Return ``value`` without the fields that ``model``, which is from before them, does not have."""
    if isinstance(value, dict) and isinstance(model, dict):
        return {name: older(one, model[name]) for name, one in value.items() if name in model}
    if isinstance(value, list) and isinstance(model, list):
        return [older(one, like) for one, like in zip(value, model, strict=True)]
    return value


@each_example
def test_an_example_encodes_to_what_it_was_read_from_and_fields_that_came_later_have_their_defaults(path: Path) -> None:
    message = decoded(path)
    written = msgspec.json.decode(msgspec.json.encode(message))
    read = msgspec.json.decode(path.read_bytes())
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(message))}
    for name in written.keys() - read.keys():
        assert getattr(message, name) == defaults[name], name
    assert older(written, read) == read


def test_some_example_of_each_type_has_every_field() -> None:
    for name, stream in STREAMS.items():
        for kind in message_types(stream):
            texts = [path.read_bytes() for path in EXAMPLES if path.parent.name == name]
            read = [msgspec.json.decode(text) for text in texts]
            named = [one.keys() for one in read if one["type"] == kind.__struct_config__.tag]
            assert any(set(kind.__struct_fields__) <= keys for keys in named), (name, kind)


@each_example
def test_an_example_names_its_writer_and_its_place_on_the_stream(path: Path) -> None:
    message = decoded(path)
    assert message.v == 1
    assert message.src
    assert message.epoch
    assert message.pseq > 0


@each_example
def test_a_field_of_a_later_version_is_ignored_everywhere_but_in_an_intent(path: Path) -> None:
    plain = msgspec.json.decode(path.read_bytes())
    before = decoded(path)
    decoder = STREAMS[path.parent.name].decoder
    for place in objects_in(plain):
        later = msgspec.json.decode(path.read_bytes())
        at(later, place)["a_field_of_tomorrow"] = {"nested": [1, "two", None]}
        if isinstance(before, HedgedIntent):
            with pytest.raises(msgspec.ValidationError, match="a_field_of_tomorrow"):
                decoder.decode(msgspec.json.encode(later))
        else:
            assert decoder.decode(msgspec.json.encode(later)) == before


@each_example
def test_a_type_that_the_stream_does_not_carry_is_refused(path: Path) -> None:
    strange = msgspec.json.decode(path.read_bytes()) | {"type": "from_another_stream"}
    with pytest.raises(msgspec.ValidationError):
        STREAMS[path.parent.name].decoder.decode(msgspec.json.encode(strange))


@each_example
def test_money_is_written_as_text(path: Path) -> None:
    """A JSON number with a fraction would be a float to most readers."""

    def fractions(value: Any) -> list[float]:
        if isinstance(value, dict | list):
            inside = value.values() if isinstance(value, dict) else value
            return [found for one in inside for found in fractions(one)]
        return [value] if isinstance(value, float) else []

    assert fractions(msgspec.json.decode(path.read_bytes())) == []


def test_the_example_quote_has_the_checksum_of_its_levels() -> None:
    quote = msgspec.json.decode((GOLDEN / "quotes" / "quote.v1.json").read_bytes(), type=QuoteText)
    assert quote.checksum == levels_checksum(quote.yes_bids, quote.yes_asks)


def test_the_checksum_is_the_crc_32_of_the_levels_as_text() -> None:
    # The CRC at the end of what `printf "0.41:120,0.4:80.5|0.42:60" | gzip` and `printf "|" | gzip` write.
    assert levels_checksum([("0.41", "120"), ("0.4", "80.5")], [("0.42", "60")]) == 0x51FF5E19
    assert levels_checksum([], []) == 0x8BB1D29A


def test_the_example_intent_still_carries_its_own_signature() -> None:
    intent = decoded(GOLDEN / "intents" / "hedged_intent.v1.json")
    assert isinstance(intent, HedgedIntent)
    assert is_authentic(intent, key_id=key_id_of(KEY), key=KEY)


def test_the_example_opportunity_adds_up() -> None:
    opened: Any = decoded(GOLDEN / "opportunities" / "opportunity_opened.v1.json")
    fills = [fill for leg in opened.legs for fill in leg.fills]
    assert sum(price * size for price, size, _ in fills) == opened.cost_dollars
    assert sum(fee for _, _, fee in fills) == opened.fee_dollars
    assert {sum(size for _, size, _ in leg.fills) for leg in opened.legs} == {opened.contracts}
    assert opened.payout_dollars - opened.cost_dollars - opened.fee_dollars == opened.edge_dollars


@pytest.mark.parametrize("text", ["0.42", 0.42, 42, "4.2E-1", "1e999999999"])
def test_decimal_fields_come_back_as_they_were_sent_or_are_refused(text: object) -> None:
    plain = msgspec.json.decode((GOLDEN / "quotes" / "quote.v1.json").read_bytes())
    plain["yes_bids"] = [[text, "1"]]
    try:
        quote = msgspec.json.decode(msgspec.json.encode(plain), type=Quote)
    except msgspec.ValidationError:
        assert not isinstance(text, str)
    else:
        assert quote.yes_bids[0][0] == Decimal(str(text))
