"""What the simulator has been asked and has sent, for whoever wants to prove that something happened or did not."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Stats:
    """Counters of one venue."""

    def __init__(self) -> None:
        self.frames = 0
        """WebSocket frames handed to a connection."""
        self.connections = 0
        """WebSocket connections ever accepted."""
        self.open_connections = 0
        self.refused_handshakes = 0
        self.requests: Counter[str] = Counter()
        """HTTP requests by ``METHOD route``, refused ones included."""
        self.orders_received = 0
        """Requests of any kind that would create, change or cancel an order, refused ones included."""

    def as_json(self) -> dict[str, Any]:
        """Return the counters under stable names."""
        return {
            "frames": self.frames,
            "connections": self.connections,
            "open_connections": self.open_connections,
            "refused_handshakes": self.refused_handshakes,
            "requests": dict(sorted(self.requests.items())),
            "orders_received": self.orders_received,
        }


def counting(stats: Stats, is_order: Callable[[str, str], bool]) -> Middleware:
    """Return a middleware that counts every request; ``is_order`` is asked with its method and path."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = "(no such route)" if resource is None else resource.canonical
        stats.requests[f"{request.method} {route}"] += 1
        stats.orders_received += is_order(request.method, request.path)
        return await handler(request)

    return count
