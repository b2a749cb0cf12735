"""What a stream entry looks like: its id, and the one field that holds the message."""

from shared.contracts.streams import FIELD


def id_order(entry_id: str) -> tuple[int, int]:
    """Return an entry id as numbers that sort."""
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)


def payload_of(fields: list[bytes] | None) -> bytes:
    """Return the message of an entry's flat list of fields and values; empty when it has none."""
    if fields and fields[0] == FIELD:
        return fields[1]
    for name, value in zip((fields or [])[::2], (fields or [])[1::2], strict=True):
        if name == FIELD:
            return value
    return b""
