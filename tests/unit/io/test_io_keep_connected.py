"""A link is dialled again after a jittered pause that grows, and starts small only after ten seconds of talk."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection

from shared.io.websocket import TryLater, Unauthorised, asked_wait_s, keep_connected
from tests.unit.io.virtual_time import run

DEAD = OSError("connection refused")
DENIED = Unauthorised("INCORRECT_API_KEY_SIGNATURE")
BUSY = TryLater(429, 20.0)


class Longest(random.Random):
    """Always draws the longest pause and remembers between which bounds it was asked to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.bounds.append((a, b))
        return b


class Link:
    """Stands for an open connection."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


class Enough(Exception):
    """The script of a test is over."""


class Scene:
    """Dials by a script: an exception refuses the dial, a number is for how many seconds the talk lasts."""

    def __init__(self, *script: Exception | float, dial_s: float = 0.0, lost: Exception | None = None) -> None:
        self._script = list(script)
        self._dial_s = dial_s
        self._lost = lost
        self._seconds = 0.0
        self.jitter = Longest()
        self.proven_after_s = 10.0
        self.links: list[Link] = []
        self.dialled_s: list[float] = []
        self.reasons: list[str] = []
        self.refusals: list[Unauthorised] = []

    async def open_link(self) -> ClientConnection:
        self.dialled_s.append(asyncio.get_running_loop().time())
        if not self._script:
            raise Enough
        await asyncio.sleep(self._dial_s)
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        self._seconds = step
        self.links.append(Link())
        return cast(ClientConnection, self.links[-1])

    async def talk(self, link: ClientConnection) -> None:
        await asyncio.sleep(self._seconds)
        if self._lost is not None:
            raise self._lost

    async def live(self) -> None:
        await keep_connected(
            self.open_link,
            self.talk,
            name="test",
            on_lost=self.reasons.append,
            on_unauthorised=self.refusals.append,
            jitter=self.jitter,
            proven_after_s=self.proven_after_s,
        )

    def play(self) -> "Scene":
        """Live until the script is over."""
        with pytest.raises(Enough):
            run(self.live())
        return self

    def pauses_s(self) -> list[float]:
        """Return the longest pauses that were allowed, one after each loss."""
        return [longest for _, longest in self.jitter.bounds]


def test_the_pause_doubles_up_to_thirty_seconds() -> None:
    scene = Scene(*[DEAD] * 9).play()
    assert scene.pauses_s() == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert scene.dialled_s == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5, 121.5]


def test_the_pause_is_drawn_from_zero_on() -> None:
    """Full jitter: feeds that lost the venue together do not come back together."""
    assert {least for least, _ in Scene(*[DEAD] * 9).play().jitter.bounds} == {0}


@given(st.lists(st.one_of(st.just(DEAD), st.floats(0, 60)), max_size=12), st.integers(0, 2**32))
def test_no_pause_is_longer_than_thirty_seconds_and_every_loss_is_told(
    script: list[Exception | float], seed: int
) -> None:
    scene = Scene(*script)
    scene.jitter = cast(Longest, random.Random(seed))
    scene.play()
    talks_s = [0.0 if isinstance(step, Exception) else step for step in script]
    between = zip(scene.dialled_s, scene.dialled_s[1:], talks_s, strict=False)
    assert all(-0.001 <= later - earlier - talk_s <= 30.001 for earlier, later, talk_s in between)
    assert len(scene.reasons) == len(script)


def test_hours_without_a_link_are_survived() -> None:
    """At 30 seconds each this is more than half a day."""
    scene = Scene(*[DEAD] * 1_500).play()
    assert scene.pauses_s()[-1] == 30
    assert len(scene.dialled_s) == 1_501


def test_ten_seconds_of_talk_start_the_pauses_over() -> None:
    assert Scene(DEAD, DEAD, DEAD, 10.0, DEAD, DEAD).play().pauses_s() == [0.5, 1, 2, 0.25, 0.5, 1]


def test_a_venue_that_accepts_and_hangs_up_is_not_dialled_in_a_rush() -> None:
    assert Scene(0.0, 0.0, 9.9, 0.0).play().pauses_s() == [0.5, 1, 2, 4]


def test_a_dial_that_hangs_until_its_timeout_proves_nothing() -> None:
    assert Scene(*[TimeoutError("opening took too long")] * 4, dial_s=10.0).play().pauses_s() == [0.5, 1, 2, 4]


def test_a_slow_dial_does_not_count_as_talk() -> None:
    assert Scene(5.0, 5.0, 5.0, dial_s=9.0).play().pauses_s() == [0.5, 1, 2]


def test_the_second_refusal_of_the_key_in_a_row_waits_the_longest_pause() -> None:
    scene = Scene(DENIED, DENIED, DENIED).play()
    assert scene.dialled_s == [0, 0.5, 30.5, 60.5]
    assert scene.refusals == [DENIED] * 3
    assert scene.reasons == [str(DENIED)] * 3


def test_a_venue_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    scene = Scene(BUSY, BUSY, DEAD).play()
    assert scene.dialled_s == [0, 20.5, 41.5, 43.5], "the jittered pause comes on top, and grows"
    assert scene.reasons[0] == "the handshake was refused with 429: try again in 20 s"


@pytest.mark.parametrize(
    ("retry_after", "date", "wait_s"),
    [
        (None, None, None),
        ("7", None, 7),
        (" 0 ", None, 0),
        ("86400", None, 300),
        ("9" * 5_000, None, 300),
        ("-1", None, None),
        ("1.5", None, None),
        ("\u0667", None, None),
        ("soon", "Sun, 22 Nov 2026 03:00:00 GMT", None),
        ("Sun, 22 Nov 2026 03:00:30 GMT", "Sun, 22 Nov 2026 03:00:00 GMT", 30),
        ("Sun, 22 Nov 2026 02:00:00 GMT", "Sun, 22 Nov 2026 03:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 03:00:30 GMT", None, None),
        ("Sun, 22 Nov 2026 03:00:30 GMT", "yesterday", None),
        ("Sun, 22 Nov 2026 03:00:30 -0000", "Sun, 22 Nov 2026 03:00:00 GMT", None),
        ("99999999999999999999 Nov 2026", "Sun, 22 Nov 2026 03:00:00 GMT", None),
    ],
)
def test_how_long_a_retry_after_header_asks_for(
    retry_after: str | None, date: str | None, wait_s: float | None
) -> None:
    assert asked_wait_s(retry_after, date) == wait_s


def test_what_proves_a_link_can_be_less() -> None:
    scene = Scene(DEAD, DEAD, 2.0, DEAD)
    scene.proven_after_s = 2.0
    assert scene.play().pauses_s() == [0.5, 1, 0.25, 0.5]


def test_a_link_between_two_refusals_forgives_the_first() -> None:
    scene = Scene(DENIED, 20.0, DENIED).play()
    assert scene.pauses_s() == [0.5, 0.25, 0.5]


@pytest.mark.parametrize("lost", [None, OSError("reset"), TimeoutError("silent")])
def test_every_link_is_closed_once_however_its_talk_ends(lost: Exception | None) -> None:
    scene = Scene(1.0, 2.0, 30.0, lost=lost).play()
    assert [link.closed for link in scene.links] == [1, 1, 1]
    said = "the conversation ended" if lost is None else f"{type(lost).__name__}: {lost}"
    assert scene.reasons == [said] * 3


def test_what_is_no_loss_of_the_link_ends_the_service() -> None:
    scene = Scene(1.0, lost=KeyError("a fault of ours"))
    with pytest.raises(KeyError):
        run(scene.live())
    assert [link.closed for link in scene.links] == [1]
    assert scene.reasons == []


async def _cancelled_after(scene: Scene, seconds: float) -> bool:
    keeping = asyncio.create_task(scene.live())
    await asyncio.sleep(seconds)
    keeping.cancel()
    await asyncio.wait([keeping])
    return keeping.cancelled()


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [
        (lambda: Scene(100.0), 5.0),  # in the middle of a talk
        (lambda: Scene(100.0, dial_s=10.0), 5.0),  # while dialling
        (lambda: Scene(*[DEAD] * 9), 100.0),  # in a pause
    ],
)
def test_it_can_be_cancelled_anywhere_and_leaves_no_link_open(scene: Callable[[], Scene], seconds: float) -> None:
    made = scene()
    assert run(_cancelled_after(made, seconds))
    assert all(link.closed == 1 for link in made.links)


def test_virtual_time_waits_for_nobody() -> None:
    async def an_hour() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    awaitable: Awaitable[Any] = an_hour()
    assert run(cast(Any, awaitable)) == pytest.approx(3_600)
