"""Texts as JSON strings, for whoever writes a message without building it."""

import msgspec

from shared.domain.memo import Memo


def json_text(text: str) -> str:
    """Return a text as JSON writes it, quotes included."""
    return msgspec.json.encode(text).decode()


def json_texts() -> Memo[str, str]:
    """Return a table of names as JSON writes them: market ids, connections and the like, made when first asked for."""
    return Memo(json_text)
