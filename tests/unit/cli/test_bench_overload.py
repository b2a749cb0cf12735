"""When an overload counts as over, where a curve bends, and what the chart shows."""

import pytest

from services.cli.bench.chart import stages_chart
from services.cli.bench.figures import Moment, Probe, Usage
from services.cli.bench.overload import Overload, back_after_s
from services.cli.bench.scale import Point, bend, numbers

MS = 1_000_000


def at(ms: int) -> Moment:
    return Moment(kalshi_ticker=f"K{ms // 1_000_000}", condition_id="0xab", direction="yes", at_ns=ms * MS)


def probe(rate: int, p50_ms: float | None, *, answered: int = 10) -> Probe:
    return Probe(
        rate=rate,
        messages=rate,
        seconds=1.0,
        openings=10,
        answered=answered,
        wire_p50_ms=p50_ms,
        wire_p99_ms=p50_ms,
        p50_ms=p50_ms,
        p99_ms=p50_ms,
        late_p95_ms=p50_ms,
        player_late_ms=0,
        stages_ms={"feed": 0.25, "stream and detector": 0.5},
        processes={"kalshi_feed": Usage(5.0, 10.0), "player": Usage(1.0, 2.5)},
    )


@pytest.mark.parametrize(
    ("opened_ms", "read_ms", "back_s"),
    [
        ([6_000, 7_000], [6_010, 7_010], 0.0),  # in time from the first on
        ([5_200, 6_000, 7_000], [5_900, 6_010, 7_010], 1.0),  # only the second was in time
        ([6_000, 7_000, 8_000], [6_010, 7_900, 8_010], 3.0),  # one of three is too many
        ([4_000, 6_000], [4_900, 6_010], 0.0),  # what was late while it lasted is not asked about
        ([6_000, 7_000], [6_010], None),  # the last edge was never answered
        ([6_000, 7_000], [6_010, 7_060], None),
        ([*range(5_100, 7_100, 100)], [ms + (60 if ms == 6_000 else 10) for ms in range(5_100, 7_100, 100)], 0.0),
        ([4_000], [4_010], None),  # nothing opened afterwards: nothing is proven
    ],
)
def test_it_is_over_when_nearly_all_are_in_time_from_then_on(
    opened_ms: list[int], read_ms: list[int], back_s: float | None
) -> None:
    found = back_after_s([at(ms) for ms in opened_ms], [at(ms) for ms in read_ms], 5_000 * MS)
    assert found == back_s


@pytest.mark.parametrize(
    ("back_s", "newest", "answered"),
    [(0.0, True, True), (1.0, True, True), (1.001, True, False), (None, True, False), (0.0, False, False)],
)
def test_an_overload_is_answered_within_a_second_and_by_the_newest_state(
    back_s: float | None, newest: bool, answered: bool
) -> None:
    found = Overload(
        rate=100_000,
        sent_per_s=79_000,
        messages=500_000,
        quotes_per_message=0.4,
        worst_ms=80.0,
        after_p95_ms=3.0,
        back_after_s=back_s,
        player_late_ms=3,
        newest_state_delivered=newest,
    )
    assert found.is_answered is answered


@pytest.mark.parametrize(
    ("row", "bends_at"),
    [
        ([(1_500, 1.0), (20_000, 2.9), (40_000, 3.0)], None),
        ([(1_500, 1.0), (20_000, 3.1), (40_000, 9.0)], 20_000),
        ([(1_500, 1.0), (20_000, None)], 20_000),
        ([(1_500, 70.0)], 1_500),  # not even the lowest rate was held
        ([], None),
    ],
)
def test_a_curve_bends_where_the_median_is_thrice_the_light_one(
    row: list[tuple[int, float | None]], bends_at: int | None
) -> None:
    points = [Point(pairs=100, probe=probe(rate, p50_ms)) for rate, p50_ms in row]
    points.append(Point(pairs=1_000, probe=probe(1_500, 99.0)))
    assert bend(points, 100) == bends_at


def test_the_players_own_time_is_not_the_pipelines() -> None:
    assert Point(pairs=100, probe=probe(1_500, 1.0)).us_per_message == 10.0


def test_the_chart_shows_the_parts_in_order_and_the_longest_in_full() -> None:
    chart = stages_chart(probe(1_500, 1.0), probe(40_000, 1.0))
    assert all(line.isprintable() for line in chart), "each is a line of its own"
    assert chart[1].split() == ["feed", "0.250", "ms", "#" * 20]
    assert chart[2].split() == ["stream", "and", "detector", "0.500", "ms", "#" * 40]
    assert [line.split()[0] for line in chart if "us" in line.split()] == ["kalshi_feed", "player"] * 2


def test_numbers_with_commas_between() -> None:
    assert numbers("100,1000") == [100, 1_000]
    for text in ("", "0", "1,,2", "many"):
        with pytest.raises(ValueError, match=r".*"):
            numbers(text)
