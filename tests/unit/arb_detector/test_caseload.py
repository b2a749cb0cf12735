"""Whom to look at again: whoever waits is known by when, news is told first, and everybody has a turn."""

from services.arb_detector.caseload import Caseload, Tally


class Case:
    """A set whose state a test decides."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.tally = Tally()
        self.is_idle = True
        self.is_held_back = False
        self.wanted_s: float | None = None

    def due_s(self) -> float | None:
        return self.wanted_s


def told(caseload: Caseload[str, Case], cases: dict[str, Case], at_once: int) -> list[str]:
    """Tell as a sweep does; return who was told about."""
    chosen = caseload.next(cases, at_once)
    for case in chosen:
        case.tally.tell(1)
    return [case.key for case in chosen]


def test_every_evaluation_is_counted_once_for_its_set_and_for_all() -> None:
    caseload: Caseload[str, Case] = Caseload()
    one, other = Case("one"), Case("other")
    for case, outcome in ((one, "no edge"), (other, "no edge"), (one, "opened")):
        caseload.note(case, outcome)
    assert caseload.evaluations == caseload.funnel.total() == 3
    assert caseload.funnel == {"no edge": 2, "opened": 1}
    assert one.tally.reasons == (("no edge", 1), ("opened", 1))
    assert one.tally.outcome == "opened"


def test_who_waits_is_active_until_it_is_idle_and_due_at_the_earliest_moment() -> None:
    caseload: Caseload[str, Case] = Caseload()
    cases = [Case("one"), Case("other"), Case("held")]
    for case, due_s in zip(cases, (7.0, 3.0, None), strict=True):
        case.is_idle, case.wanted_s = due_s is None, due_s
        case.is_held_back = due_s is None
        caseload.note(case, "waiting")
    assert list(caseload.active) == ["one", "other", "held"]
    assert caseload.due_s() == 3.0
    cases[1].is_idle = True
    caseload.note(cases[1], "no edge")
    assert caseload.due_s() == 7.0
    caseload.drop(cases[0])
    assert list(caseload.active) == ["held"]
    assert caseload.due_s() is None


def test_news_is_told_first_and_everybody_in_turn() -> None:
    caseload: Caseload[str, Case] = Caseload()
    cases = {key: Case(key) for key in "abcd"}
    assert [told(caseload, cases, 1) for _ in range(5)] == [["a"], ["b"], ["c"], ["d"], ["a"]]
    caseload.note(cases["d"], "opened")
    assert told(caseload, cases, 1) == ["d", "b"]
    assert told(caseload, cases, 1) == ["c"], "that was told"


def test_who_is_gone_or_came_back_as_another_is_not_told_about() -> None:
    caseload: Caseload[str, Case] = Caseload()
    gone, old = Case("gone"), Case("same")
    for case in (gone, old):
        caseload.note(case, "opened")
    assert told(caseload, {"same": Case("same")}, 5) == ["same"]
    assert old.tally.told_outcome == gone.tally.told_outcome == ""


def test_a_reason_is_as_old_as_its_first_telling() -> None:
    tally = Tally()
    tally.outcome = "no quote yet"
    assert [tally.tell(5), tally.tell(9)] == [5, 5]
    tally.outcome = "no edge"
    assert tally.tell(12) == 12
