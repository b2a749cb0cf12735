"""The streams as an AsyncAPI 3.0 document, made from the message types and the stream table.

``document`` is pure; what the types cannot say (who writes, who reads, what is promised) is said here once. The file
in ``docs/`` is written by ``python -m shared.contracts.asyncapi > docs/asyncapi.yaml``; a test fails when it is stale.
"""

import inspect
import sys
from collections.abc import Iterable
from typing import Any, get_args

import msgspec
import yaml

from shared.contracts import streams
from shared.contracts.envelope import Message
from shared.contracts.streams import Stream
from shared.domain.market import Venue
from shared.domain.pair import PARTITIONS

RENEW = "python -m shared.contracts.asyncapi > docs/asyncapi.yaml"

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/{name}"
_FEEDS = ("kalshi_feed", "polymarket_feed")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What is promised about a stream or a family of streams of one kind."""

    stream: Stream[Any]
    """One of the family: all have the same messages and trimming."""
    address: str
    """The name of the stream, with parameters in braces."""
    summary: str
    guarantee: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    latest: str = ""
    """The hash or key where the latest message per subject is kept."""


def channels() -> dict[str, Channel]:
    """Return every stream by its name in the document; families are one channel with parameters."""
    return {
        "catalog": Channel(
            stream=streams.CATALOG[Venue.KALSHI],
            address="arb:v1:catalog:{venue}",
            summary="The markets that a venue lists.",
            guarantee="Compacted state: the hash holds the latest message per market, the stream its changes.",
            writers=_FEEDS,
            readers=("matcher", "kalshi_executor", "dashboard"),
            latest="arb:v1:markets:{venue}",
        ),
        "pairs": Channel(
            stream=streams.PAIRS,
            address=streams.PAIRS.name,
            summary="Which markets are the same question, and candidates for review.",
            guarantee="Compacted state, versioned: the hash holds the latest message per pair, the stream its changes.",
            writers=("matcher",),
            readers=(*_FEEDS, "arb_detector", "kalshi_executor", "dashboard"),
            latest=streams.PAIRS.hash_name,
        ),
        "quotes": Channel(
            stream=streams.QUOTES[Venue.KALSHI][0],
            address="arb:v1:quotes:{venue}:{part}",
            summary="Books of the markets of live pairs, and the loss of trust in them.",
            guarantee=(
                "Latest wins: quotes of one market are conflated, staleness is always visible. One writer per stream; "
                "both venues' streams of a partition share a hash tag, so that one XREAD sees both legs."
            ),
            writers=_FEEDS,
            readers=("arb_detector", "dashboard", "recorder"),
            latest="arb:v1:book:{part}:{venue}:{market_id}",
        ),
        "feed_health": Channel(
            stream=streams.FEED_HEALTH,
            address=streams.FEED_HEALTH.name,
            summary="One beat a second per feed connection.",
            guarantee="Freshness by age: silence for 2.5 s means that every leg of the connection is stale.",
            writers=_FEEDS,
            readers=("arb_detector", "dashboard"),
        ),
        "opportunities": Channel(
            stream=streams.OPPORTUNITIES,
            address=streams.OPPORTUNITIES.name,
            summary="Episodes in which buying both outcomes costs less than they pay.",
            guarantee="At least once; readers drop what they have seen by opportunity_id. Trimmed behind the readers.",
            writers=("arb_detector",),
            readers=("alerts", "dashboard", "recorder"),
            latest=streams.OPPORTUNITIES.hash_name,
        ),
        "funnel": Channel(
            stream=streams.FUNNEL,
            address=streams.FUNNEL.name,
            summary="Why pairs are not alerting: evaluations by reason, per pair and per process.",
            guarantee="Compacted state: the hash holds where each live pair stands, refreshed every few seconds.",
            writers=("arb_detector",),
            readers=("dashboard",),
            latest=streams.FUNNEL.hash_name,
        ),
        "divergences": Channel(
            stream=streams.DIVERGENCES,
            address=streams.DIVERGENCES.name,
            summary="Pairs whose prices stay apart far beyond fees for long: more likely wrong matches than gifts.",
            guarantee="Compacted state: the hash holds the latest message per pair. Readers act once per pair_version.",
            writers=("arb_detector",),
            readers=("matcher", "arb_detector", "dashboard"),
            latest=streams.DIVERGENCES.hash_name,
        ),
        "baskets": Channel(
            stream=streams.BASKETS,
            address=streams.BASKETS.name,
            summary="Which baskets of one event of one venue are watched.",
            guarantee="Compacted state, versioned: the hash holds the latest message per basket.",
            writers=("matcher",),
            readers=(*_FEEDS, "arb_detector"),
            latest=streams.BASKETS.hash_name,
        ),
        "basket_opportunities": Channel(
            stream=streams.BASKET_OPPORTUNITIES,
            address=streams.BASKET_OPPORTUNITIES.name,
            summary="Episodes in which a basket costs less than the least that it pays. Alert-only.",
            guarantee="At least once; readers drop what they have seen by opportunity_id. Trimmed behind the readers.",
            writers=("arb_detector",),
            readers=("alerts",),
            latest=streams.BASKET_OPPORTUNITIES.hash_name,
        ),
        "basket_funnel": Channel(
            stream=streams.BASKET_FUNNEL,
            address=streams.BASKET_FUNNEL.name,
            summary="Why baskets are not alerting: evaluations by reason, per basket.",
            guarantee="Compacted state: the hash holds where each live basket stands, refreshed every few seconds.",
            writers=("arb_detector",),
            readers=("dashboard",),
            latest=streams.BASKET_FUNNEL.hash_name,
        ),
        "intents": Channel(
            stream=streams.intents("main"),
            address="arb:v1:intents:{account}",
            summary="Signed orders-to-be: two legs that lock a profit, good for a moment.",
            guarantee="Exactly-once effect through the executor's ledger. Trimmed behind the reader. Signed by HMAC.",
            writers=("arb_detector", "dashboard"),
            readers=("kalshi_executor",),
        ),
        "executions": Channel(
            stream=streams.executions("main"),
            address="arb:v1:executions:{account}",
            summary="What became of intents.",
            guarantee="A projection of the executor's ledger, ordered by ledger_seq; readers drop what they have seen.",
            writers=("kalshi_executor",),
            readers=("dashboard", "alerts", "recorder"),
        ),
        "alerts": Channel(
            stream=streams.ALERTS,
            address=streams.ALERTS.name,
            summary="What an operator must know about the system itself.",
            guarantee="At least once; readers drop what they have seen by alert_id. Trimmed behind the reader.",
            writers=(*_FEEDS, "matcher", "arb_detector", "kalshi_executor"),
            readers=("alerts", "dashboard"),
        ),
    }


PARAMETERS: dict[str, Json] = {
    "venue": {"enum": [str(venue) for venue in Venue], "description": "Where the market trades."},
    "part": {
        "enum": [f"{{p{part:02d}}}" for part in range(PARTITIONS)],
        "description": "The pair's partition, braces included: they make it the hash tag on a Redis Cluster.",
    },
    "account": {"default": "main", "description": "The account that trades."},
}


def message_types(stream: Stream[Any]) -> tuple[type[Message], ...]:
    """Return the types of a stream's messages, as its decoder knows them."""
    return get_args(stream.decoder.type) or (stream.decoder.type,)


def document() -> Json:
    """Return the whole document as plain JSON values."""
    named = channels()
    kinds = list(dict.fromkeys(kind for channel in named.values() for kind in message_types(channel.stream)))
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "dutchbook streams",
            "version": "1.0.0",
            "description": (
                "Redis streams on which the services meet. Every entry has one field, "
                f"{streams.FIELD.decode()!r}, that holds one message as JSON. Prices, sizes and money are decimal "
                "strings. New fields have defaults and unknown fields are ignored, except in HedgedIntent, where they "
                f"are refused. Generated from the types: {RENEW}"
            ),
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(channel) for name, channel in named.items()},
        "operations": _operations(named),
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": {name: _draft_7(schema) for name, schema in sorted(schemas.items())},
        },
    }


def as_yaml(value: Json) -> str:
    """Return a document as block YAML that reads from top to bottom in the order it was made."""
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=118)


class _Plain(yaml.SafeDumper):
    """Writes equal parts out each time: an alias is harder to read than a repetition."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _channel(channel: Channel) -> Json:
    keep = f"about the newest {channel.stream.keep} entries" if channel.stream.keep else "what a reader still needs"
    facts: Json = {"address": channel.address, "summary": channel.summary, "description": channel.guarantee}
    if parameters := {name: PARAMETERS[name] for name in PARAMETERS if f"{{{name}}}" in channel.address}:
        facts["parameters"] = parameters
    facts["messages"] = {
        kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in message_types(channel.stream)
    }
    facts["x-keeps"] = keep
    if channel.latest:
        facts["x-latest"] = channel.latest
    return facts


def _operations(named: dict[str, Channel]) -> Json:
    found: Json = {}
    for name, channel in named.items():
        for action, services in (("send", channel.writers), ("receive", channel.readers)):
            found |= {
                f"{service}.{action}.{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
                for service in services
            }
    return dict(sorted(found.items()))


def _message(kind: type[Message]) -> Json:
    return {
        "name": kind.__struct_config__.tag,
        "title": kind.__name__,
        "summary": inspect.getdoc(kind),
        "payload": {"$ref": _SCHEMAS.format(name=kind.__name__)},
    }


def _draft_7(value: Any) -> Any:
    """Return a schema in the words that AsyncAPI's own schemas have, which are those of JSON Schema draft 7."""
    if isinstance(value, list | tuple):
        return [_draft_7(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _draft_7(one) for name, one in value.items() if name != "discriminator"}
    if "prefixItems" in plain:
        plain["items"] = plain.pop("prefixItems")
        plain["additionalItems"] = False
    return plain


def _main(arguments: Iterable[str]) -> int:
    if list(arguments):
        sys.stderr.write(f"this takes no arguments; use: {RENEW}\n")
        return 2
    sys.stdout.write(as_yaml(document()))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
