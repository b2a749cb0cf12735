"""Who has which partition: leases in Redis with fencing, so that replicas split the work and take over from each other.

One script decides for everybody, by the server's clock: who is alive, what each may hold, what is free. A lease has a
token that grows with every change of hands. Writing under a lease happens in a script too (``shared.io.appends``) that
compares the holder first: a process that was stopped, swapped out or cut off, and wakes up after another has taken its
place, writes nothing. Our own clocks take no part.
"""

from dataclasses import dataclass
from typing import cast

from shared.io.resp import RespLink, pack, raise_refusal

LEASE_MS = 1_200
"""A holder that was not heard of for this long is replaced."""

_RENEW = """
local me, ttl, parts, leaving = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ttl
-- What ends later than a new lease would was written before the clock was set back.
local function alive(at) return at and tonumber(at) > now and tonumber(at) <= ends end
redis.call(leaving and 'HDEL' or 'HSET', KEYS[2], 'replica:' .. me, unpack(leaving and {} or {ends}))
local replicas, all = 0, redis.call('HGETALL', KEYS[2])
for at = 1, #all, 2 do
  if string.sub(all[at], 1, 8) == 'replica:' then
    if alive(all[at + 1]) then replicas = replicas + 1 else redis.call('HDEL', KEYS[2], all[at]) end
  end
end
local share = leaving and 0 or math.ceil(parts / replicas)
local held, free = {}, {}
for part = 0, parts - 1 do
  local holder = redis.call('HGET', KEYS[1], part)
  local owner, token = string.match(holder or '', '^(.*):(%d+)$')
  if owner == me then
    if #held < share then
      redis.call('HSET', KEYS[2], part, ends)
      held[#held + 1] = {part, holder, 0}
    else
      redis.call('HSET', KEYS[1], part, ':' .. token)
      redis.call('HDEL', KEYS[2], part)
    end
  elseif not alive(redis.call('HGET', KEYS[2], part)) then
    free[#free + 1] = {part, holder}
  end
end
for _, found in ipairs(free) do
  if #held < share then
    local holder = me .. ':' .. redis.call('HINCRBY', KEYS[2], 'token', 1)
    redis.call('HSET', KEYS[1], found[1], holder)
    redis.call('HSET', KEYS[2], found[1], ends)
    held[#held + 1] = {found[1], holder, found[2] and 0 or 1}
  end
end
return held
"""


class Lease:
    """One partition that we hold, or held. ``holder`` is our name and the token, as Redis has it."""

    __slots__ = ("hash_name", "holder", "part")

    def __init__(self, hash_name: str, part: int, holder: str) -> None:
        self.hash_name = hash_name
        self.part = part
        self.holder = holder


@dataclass(frozen=True, slots=True)
class LeaseChange:
    """What a renewal changed. A partition that changed hands and came back is in both."""

    gained: frozenset[int]
    lost: frozenset[int]


class Leases:
    """The partitions that one replica holds: an equal share, renewed by calling ``renew`` several times a lease."""

    def __init__(self, url: str, hash_name: str, replica: str, *, partitions: int) -> None:
        self._link = RespLink(url, timeout_s=LEASE_MS / 2_000)
        self._hash_name = hash_name
        self.replica = replica
        self._partitions = partitions
        self.held: dict[int, Lease] = {}

    async def renew(self) -> LeaseChange:
        """Renew what we hold, take what is free up to our share, and give back what is above it.

        Raises redis-py's ConnectionError or TimeoutError; whatever is held stays held then, as far as we know.
        """
        return self._taken(await self._decide(leaving=False))

    async def leave(self) -> None:
        """Give everything back, so that others need not wait for the leases to end."""
        await self._decide(leaving=True)
        self.held.clear()

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()

    async def _decide(self, *, leaving: bool) -> dict[int, tuple[str, bool]]:
        """Return the holder text of every partition that is ours now, and whether nobody had it before us."""
        keys = (self._hash_name, f"{self._hash_name}:until")
        arguments = (self.replica, LEASE_MS, self._partitions, int(leaving))
        [reply] = await self._link.ask(pack("EVAL", _RENEW, len(keys), *keys, *arguments))
        raise_refusal(reply)
        rows = cast("list[tuple[int, bytes, int]]", reply)
        return {part: (holder.decode(), bool(is_first)) for part, holder, is_first in rows}

    def _taken(self, ours: dict[int, tuple[str, bool]]) -> LeaseChange:
        gained, lost = set[int](), set(self.held.keys() - ours.keys())
        for part, (holder, is_first) in ours.items():
            lease = self.held.get(part)
            if lease is not None and is_first:
                lease.holder = holder  # Redis came back empty, and nobody held it in between
            elif lease is None or lease.holder != holder:
                gained.add(part)
                if lease is not None:
                    lost.add(part)
                self.held[part] = Lease(self._hash_name, part, holder)
        for part in lost - gained:
            del self.held[part]
        return LeaseChange(frozenset(gained), frozenset(lost))
