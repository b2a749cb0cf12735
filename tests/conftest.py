"""What every test may ask for: a real, private Redis per test process, and the way hypothesis looks for examples."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from shared.runtime.redis_server import RedisServer, start_private_redis

# A busy machine makes single examples slow, which says nothing about the code. CI repeats the same examples each time.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("local", **_COMMON)
settings.register_profile("ci", derandomize=True, print_blob=True, **_COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis of this test process; never the one that ``DUTCHBOOK_REDIS_URL`` names, for tests empty it."""
    with start_private_redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a real Redis without a key in it."""
    redis_server.clear()
    return redis_server.url
