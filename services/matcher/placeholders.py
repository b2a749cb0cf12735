"""Outcomes that stand for nobody yet: they may be renamed at any time, so they are never paired."""

import re
from functools import lru_cache

_PLACEHOLDER = re.compile(
    r"(?:(?:player|candidate|person|team|party|company|nominee|individual|artist|movie|film|song|driver|actor|actress|"
    r"country|option|coach|contestant|club|show|album|fighter|golfer|model|celebrity|city|state|outcome|other)\s+"
    r"(?:[A-Z]{1,2}|\d{1,3})"
    r"|[A-Z]"
    r"|(?:an)?other(?:\s+\w+){0,3}|any\s+other(?:\s+\w+){0,2}|someone\s+else|somebody\s+else|the\s+field|field|tbd|tba|"
    r"to\s+be\s+(?:determined|announced)|none\s+of\s+(?:the\s+)?(?:above|these)|no\s*one\s+else)",
    re.IGNORECASE,
)
_IN_QUESTION = re.compile(
    r"\b(?:[Pp]layer|[Cc]andidate|[Pp]erson|[Tt]eam|[Pp]arty|[Cc]ompany|[Nn]ominee|[Aa]rtist|[Mm]ovie|[Ff]ilm|[Ss]ong|"
    r"[Ii]ndividual|[Dd]river|[Cc]ountry|[Oo]ption|[Cc]oach|[Ss]how|[Cc]ontestant|[Ff]ighter|[Gg]olfer|[Cc]yclist|[Cc]hef|"
    r"[Aa]ctor|[Aa]ctress|[Cc]elebrity|[Cc]haracter|[Pp]itcher)\s+[A-Z]{1,2}\b(?!\.)"
    r"|\b(?:Player|Candidate|Person|Nominee|Fighter|Driver|Golfer|Cyclist|Contestant|Chef|Coach)\s+[0-9]{1,2}\b"
    r"|\bWill\s+(?:[B-HJ-Z]\s+\w+|A\s+(?:win|be|lead|finish|become)\b)"
    r"|\b[Aa]nother\s+(?:team|person|player|candidate|party|company|movie|film|artist|country|club|individual)\b"
)


@lru_cache(maxsize=20_000)
def is_placeholder(label: str) -> bool:
    """Return whether an outcome's whole label is a placeholder such as ``Player G``, ``Other`` or ``TBD``."""
    return _PLACEHOLDER.fullmatch(label.strip()) is not None


def asks_about_placeholder(question: str) -> bool:
    """Return whether a question is about a placeholder: ``Will Candidate X win?``, ``another team``."""
    return _IN_QUESTION.search(question) is not None
