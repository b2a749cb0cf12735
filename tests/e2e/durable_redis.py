"""A Redis that can be killed and started again with its data, or without."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from shared.runtime.redis_server import find_redis_server
from tests.e2e.processes import short_folder
from tests.waiting import eventually


class DurableRedis:
    """A server that can be killed and started again with its data, at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder / 'redis.sock'}"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("--port", "0", "--unixsocket", str(self._folder / "redis.sock"), "--dir", str(self._folder))
        settings += ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen([find_redis_server(), *settings], stdout=log, stderr=log)
        with redis.Redis.from_url(self.url) as client:
            eventually(lambda: answers(client), what=(self._folder / "log").read_text)

    def forget(self) -> None:
        """Remove its data, as when a container loses its volume."""
        shutil.rmtree(self._folder / "appendonlydir")

    def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def durable_redis() -> Iterator[DurableRedis]:
    """Lend one in a folder of its own."""
    with short_folder() as folder:
        server = DurableRedis(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()
