"""Who may use Kalshi's private paths, and how often: signature first, then tokens."""

from aiohttp import web

from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_buckets import Limits
from services.venue_sim.kalshi_rest import json_answer


class Access:
    """The guard of every private path."""

    def __init__(self, authenticator: Authenticator, limits: Limits) -> None:
        self._authenticator = authenticator
        self.limits = limits

    def refusal(self, request: web.Request, *, items: int = 1) -> web.Response | None:
        """Return the 401 or 429 that answers a request, None when it may pass; ``items`` is the size of a batch."""
        refused = self._authenticator.refusal(request.method, request.path, request.headers)
        if refused is not None:
            return json_answer(refused.body, status=401)
        if not self.limits.admits(request.method, request.path, items=items):
            return json_answer({"error": "too many requests"}, status=429)
        return None
