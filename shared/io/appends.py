"""Writing messages in their turn: one command writes a message to its stream and its hash, or changes nothing.

A writer numbers what it writes, and Redis keeps the last number that it took. What comes out of turn is not written:
when Redis refuses one of many that are on their way, for want of memory or of a lease, those behind it are refused too,
and no reader ever sees a newer message before an older one. What comes again, because a reply was lost, is not written
twice. A message that is written under a lease is written only while its holder has the partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha1

from shared.contracts.streams import FIELD
from shared.io.leases import Lease
from shared.io.resp import Word, pack

NUMBER_KEPT_S = 86_400
"""How long Redis keeps the number of a writer that says nothing; longer than what it sent can be on its way."""


class Outcome(IntEnum):
    """What became of a message; only the positive ones and ``OTHER_HOLDER`` are final."""

    WRITTEN_AFRESH = 3
    """Written, and Redis has forgotten something that it had confirmed: it came back with an older memory, or none."""
    WRITTEN_BEFORE = 2
    WRITTEN = 1
    OTHER_HOLDER = 0
    """Another process holds the partition now: it is never to be written."""
    NO_HOLDER = -1
    """Redis knows of no holder at all, because it has lost its memory: the next renewal will tell."""
    OUT_OF_TURN = -2
    """The message before it was not written, or Redis has forgotten that it was."""


_SCRIPT = f"""
local number, after, last = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[1]) or '')
if last and last >= number then return {Outcome.WRITTEN_BEFORE:d} end
if not after and last ~= number - 1 then return {Outcome.OUT_OF_TURN:d} end
local outcome = after and after > (last or 0) and {Outcome.WRITTEN_AFRESH:d} or {Outcome.WRITTEN:d}
if ARGV[4] ~= '' then
  local holder = redis.call('HGET', KEYS[2], ARGV[3])
  if not holder then return {Outcome.NO_HOLDER:d} end
  if holder ~= ARGV[4] then outcome = {Outcome.OTHER_HOLDER:d} end
end
if outcome ~= {Outcome.OTHER_HOLDER:d} then
  -- What has a key of another type is refused before anything is written.
  for place = 3, #KEYS, 2 do
    if place > 3 then redis.call('XLEN', KEYS[place]) end
    if KEYS[place + 1] ~= KEYS[place] then redis.call('HLEN', KEYS[place + 1]) end
  end
  local at = 5
  for place = 3, #KEYS, 2 do
    local stream, hash = KEYS[place], KEYS[place + 1]
    local key, payload, drop, keep = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    if keep == '0' then
      redis.call('XADD', stream, '*', '{FIELD.decode()}', payload)
    else
      redis.call('XADD', stream, 'MAXLEN', '~', keep, '*', '{FIELD.decode()}', payload)
    end
    if drop == '1' then
      redis.call('HDEL', hash, key)
    elseif key ~= '' then
      redis.call('HSET', hash, key, payload)
    end
    at = at + 4
  end
end
-- Last: whatever is refused above must not count as written.
redis.call('SET', KEYS[1], ARGV[1], 'EX', {NUMBER_KEPT_S})
return outcome
"""
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Append:
    """One message to write to a stream and, when ``key`` is not empty, under a key of its hash.

    The stream keeps about ``keep`` entries, all when that is 0.
    """

    stream_name: str
    hash_name: str
    key: str
    payload: bytes
    drop_key: bool
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Messages that are written together, in their writer's order, and only under ``lease`` if there is one."""

    number: int
    """Counts up by one from 1."""
    appends: tuple[Append, ...]
    lease: Lease | None = None

    def packed(self, number_key: str, *, after: int | None, by_name: bool) -> bytes:
        """Return one packed command that writes all of it or nothing; its reply is an ``Outcome`` or a refusal.

        ``after`` is the last number that Redis has confirmed, when nothing else before this one is still to be written;
        None while the one before is on its way. ``by_name`` is quicker and refused with NOSCRIPT by a server that has
        not seen the command in full since it started.
        """
        lease = self.lease
        keys: list[Word] = [number_key, number_key if lease is None else lease.hash_name]
        arguments: list[Word] = [self.number, "" if after is None else after]
        arguments += ("", "") if lease is None else (lease.part, lease.holder)
        for item in self.appends:
            keys += (item.stream_name, item.hash_name or item.stream_name)
            arguments += (item.key, item.payload, int(item.drop_key), item.keep)
        script = ("EVALSHA", _SHA) if by_name else ("EVAL", _SCRIPT)
        return pack(*script, len(keys), *keys, *arguments)


def streams_of(appends: Sequence[Append]) -> tuple[str, ...]:
    """Return the names of their streams, each once."""
    return tuple(dict.fromkeys(append.stream_name for append in appends))
