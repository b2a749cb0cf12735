"""What the simulator has been asked and has sent, for whoever wants to prove that something happened or did not."""

from collections import Counter
from typing import Any


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
