"""The figures of the benchmark: which answer belongs to which opening, percentiles, and whether a rate was held."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.figures import ANSWER_LIMIT_NS, Moment, Probe, Usage, answers, percentile_ms, probe_of

MS = 1_000_000


def moment(ticker: str, condition: str, direction: str, ms: int = 0) -> Moment:
    return Moment(kalshi_ticker=ticker, condition_id=condition, direction=direction, at_ns=ms * MS)


def at(ms: int, key: str = "A") -> Moment:
    return moment(key, "0xab", "yes", ms)


def answers_ms(openings: list[Moment], reads: list[Moment]) -> list[int | None]:
    found = answers(openings, reads)
    return [answer and (answer.at_ns - opening.at_ns) // MS for opening, answer in zip(openings, found, strict=True)]


@pytest.mark.parametrize(
    ("read_ms", "answer_ms"),
    [(100, 0), (103, 3), (1_100, 1_000), (1_101, None), (99, None)],  # opened at 100; the limit is a second
)
def test_an_answer_comes_after_its_opening_and_within_a_second(read_ms: int, answer_ms: int | None) -> None:
    assert answers_ms([at(100)], [at(read_ms)]) == [answer_ms]


def test_the_first_of_several_reads_is_the_answer_whatever_their_order() -> None:
    assert answers_ms([at(100)], [at(180), at(105), at(130)]) == [5]


@pytest.mark.parametrize("other", [moment("B", "0xab", "yes"), moment("A", "0xcd", "yes")])
def test_another_pairs_answer_is_none(other: Moment) -> None:
    assert answers_ms([at(100)], [msgspec.structs.replace(other, at_ns=105 * MS)]) == [None]


def test_another_directions_answer_is_none() -> None:
    assert answers_ms([at(100)], [moment("A", "0xab", "no", 105)]) == [None]


def test_an_answer_belongs_to_the_latest_opening_and_to_that_alone() -> None:
    """The first edge went unanswered: that the second was answered soon after does not help it."""
    assert answers_ms([at(100), at(300)], [at(310)]) == [None, 10]
    assert answers_ms([at(100), at(300)], [at(104), at(310)]) == [4, 10]
    assert answers_ms([at(100), at(300)], [at(104)]) == [4, None]
    assert answers_ms([at(100), at(300)], [at(300)]) == [None, 0]


def test_openings_of_other_directions_in_between_change_nothing() -> None:
    assert answers_ms([at(100), at(101, "B"), at(102, "C")], [at(110), at(109, "C")]) == [10, None, 7]


moments = st.builds(at, st.integers(0, 3_000), st.sampled_from("AB"))


@given(st.lists(moments, max_size=12), st.lists(moments, max_size=12))
def test_the_pairing_is_what_a_patient_person_would_do(openings: list[Moment], reads: list[Moment]) -> None:
    expected: list[int | None] = []
    for place, opening in enumerate(openings):
        # Of two openings at the same instant the one that comes later in the list counts as the later one.
        later = [
            one.at_ns
            for other, one in enumerate(openings)
            if one.key == opening.key and (one.at_ns, other) > (opening.at_ns, place)
        ]
        mine = [
            read.at_ns - opening.at_ns
            for read in reads
            if read.key == opening.key
            and 0 <= read.at_ns - opening.at_ns <= ANSWER_LIMIT_NS
            and all(read.at_ns < one for one in later)
        ]
        expected.append(min(mine, default=None))
    found = answers(openings, reads)
    assert [one and one.at_ns - opening.at_ns for opening, one in zip(openings, found, strict=True)] == expected


@pytest.mark.parametrize(
    ("samples_ms", "percent", "expected_ms"),
    [
        ([], 50, None),
        ([7], 99, 7.0),
        ([1, 2], 50, 1.5),
        ([3, 1, 2], 50, 2.0),
        (list(range(101)), 50, 50.0),  # 0 to 100: the n-th percentile is n
        (list(range(101)), 99, 99.0),
        (list(range(101)), 95, 95.0),
        (list(range(101)), 1, 1.0),
        ([10] * 99 + [1_000], 50, 10.0),
    ],
)
def test_percentiles_by_hand(samples_ms: list[int], percent: int, expected_ms: float | None) -> None:
    assert percentile_ms([sample * MS for sample in samples_ms], percent) == expected_ms


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 99))
def test_a_percentile_lies_among_the_samples(samples_ns: list[int], percent: int) -> None:
    found = percentile_ms(samples_ns, percent)
    assert found is not None
    assert min(samples_ns) / MS <= found + 1e-3
    assert found <= max(samples_ns) / MS + 1e-3


PROBE = Probe(
    rate=1_500,
    messages=6_000,
    seconds=4.0,
    openings=100,
    answered=95,
    wire_p50_ms=2.1,
    wire_p99_ms=9.1,
    p50_ms=2.0,
    p99_ms=9.0,
    late_p95_ms=50.0,
    player_late_ms=50,
    stages_ms={},
    processes={},
)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, True),  # everything just within its limit
        ({"answered": 94}, False),
        ({"late_p95_ms": 50.1}, False),
        ({"late_p95_ms": None}, False),
        ({"player_late_ms": 51}, False),
        ({"openings": 0, "answered": 0}, False),  # nothing was asked, so nothing is proven
    ],
)
def test_a_rate_is_held_or_not(changes: dict[str, object], held: bool) -> None:
    assert msgspec.structs.replace(PROBE, **changes).held is held


def test_a_probe_sums_up_and_looks_at_the_last_third_apart() -> None:
    openings = [at(1_000 * second) for second in range(9)]
    reads = [at(1_000 * second + (2 if second < 6 else 500)) for second in range(9)]
    probe = probe_of(openings, reads, rate=10, messages=90, seconds=9.0, player_late_ms=3, cpu_s={"feed": 0.9})
    assert (probe.openings, probe.answered) == (9, 9)
    assert (probe.wire_p50_ms, probe.late_p95_ms) == (2.0, 500.0)
    assert probe.processes == {"feed": Usage(core_percent=10.0, us_per_message=10_000.0)}
    assert not probe.held


def test_the_way_is_told_by_its_parts_as_far_as_they_were_noted() -> None:
    opening, read = at(100), at(110)
    noted = msgspec.structs.replace(read, received_ns=101 * MS, published_ns=103 * MS, detected_ns=106 * MS)
    terms = {"rate": 10, "messages": 20, "seconds": 2.0, "player_late_ms": 0, "cpu_s": {}}
    whole = probe_of([opening], [noted], **terms)
    assert whole.stages_ms == {
        "socket to feed": 1.0,
        "feed": 2.0,
        "stream and detector": 3.0,
        "intent to executor": 4.0,
    }
    assert (whole.p50_ms, whole.wire_p50_ms) == (9.0, 10.0)
    partly = probe_of([opening], [msgspec.structs.replace(read, received_ns=101 * MS)], **terms)
    assert (partly.stages_ms, partly.p50_ms) == ({"socket to feed": 1.0}, 9.0)
    assert probe_of([opening], [read], **terms).p50_ms is None


def test_a_probe_of_a_pipeline_that_says_nothing() -> None:
    probe = probe_of([at(0), at(5_000)], [], rate=10, messages=20, seconds=2.0, player_late_ms=0, cpu_s={})
    assert (probe.answered, probe.p50_ms, probe.p99_ms, probe.late_p95_ms) == (0, None, None, None)
    assert not probe.held
