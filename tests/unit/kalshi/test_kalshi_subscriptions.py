"""The session carries exactly the wanted markets and gets over refusals, silence and dead subscriptions."""

from shared.domain.market import MarketId
from shared.venues.kalshi.events import BookChanged, BooksLost, CommandRefused, LinkUnusable
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import (
    SECOND_NS,
    A,
    B,
    C,
    actions,
    commands,
    delta,
    error,
    feed,
    levels,
    ok,
    snapshot,
    streaming,
    subscribed,
)


def test_many_markets_go_in_chunks_the_first_by_subscribe_the_rest_as_additions() -> None:
    tickers = [MarketId(f"KX-{number}") for number in range(250)]
    session = KalshiSession(tickers)
    session.connected()
    [first] = actions(session)
    assert first == ("subscribe", tickers[:100])
    feed(session, subscribed())
    assert actions(session) == [("add_markets", tickers[100:200]), ("add_markets", tickers[200:])]


def test_markets_come_and_go_while_streaming() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A), snapshot(2, B))
    session.want([B, C])
    assert commands(session) == [
        {
            "id": 2,
            "cmd": "update_subscription",
            "params": {"sids": [1], "action": "add_markets", "market_tickers": [C]},
        },
        {
            "id": 3,
            "cmd": "update_subscription",
            "params": {"sids": [1], "action": "delete_markets", "market_tickers": [A]},
        },
    ]
    feed(session, ok(2, [A, B, C], seq=3), delta(4, A))
    assert session.settle() == ()  # nobody wants A any more
    assert feed(session, snapshot(5, C)) == [BookChanged(C)]
    feed(session, ok(3, [B, C], seq=6))
    assert set(session.market_ids()) == {B, C}
    assert session.counts.gaps == 0


def test_a_market_wanted_again_before_its_removal_was_confirmed_is_added_afresh() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A), snapshot(2, B))
    session.want([B])
    assert actions(session) == [("delete_markets", [A])]
    session.want([A, B])
    feed(session, ok(2, [B], seq=3))
    assert actions(session) == [("add_markets", [A])]
    feed(session, ok(3, [A, B], seq=4))
    assert feed(session, snapshot(5, A)) == [BookChanged(A)]


def test_wanting_markets_before_the_first_acknowledgement_adds_them_after_it() -> None:
    session = KalshiSession([A])
    session.connected()
    session.data_to_send()
    session.want([A, B])
    assert session.data_to_send() == []
    feed(session, subscribed())
    assert actions(session) == [("add_markets", [B])]


def test_a_session_without_markets_says_nothing_until_it_wants_some() -> None:
    session = KalshiSession()
    session.connected()
    assert session.data_to_send() == []
    session.want([A])
    assert actions(session) == [("subscribe", [A])]


def test_a_second_subscribe_that_joins_the_first_sid_extends_it() -> None:
    """Recorded 2026-08-07: only the first subscribe of a channel is answered with ``subscribed``."""
    session = KalshiSession([A])
    session.connected()
    session.data_to_send()
    feed(session, ok(1, [B, A], sid=1, seq=1))
    assert feed(session, snapshot(2, A)) == [BookChanged(A)]


def test_a_ticker_missing_from_the_acknowledged_list_is_reported_and_not_waited_for() -> None:
    session = streaming(A)
    session.want([A, B])
    session.data_to_send()
    [refused] = feed(session, ok(2, [A], seq=1))
    assert isinstance(refused, CommandRefused)
    assert refused.market_ids == (B,)
    assert session.data_to_send() == []


def test_one_refused_ticker_of_many_leaves_the_others_live() -> None:
    session = KalshiSession([A, B, C])
    session.connected()
    session.data_to_send()
    [refused] = feed(session, error(11, command=1, tickers=[B]))
    assert isinstance(refused, CommandRefused)
    assert refused.market_ids == (B,)
    feed(session, subscribed(), snapshot(1, A), snapshot(2, C))
    assert session.live_markets == 2


def test_an_unnamed_culprit_is_found_by_halving() -> None:
    tickers = [MarketId(f"KX-{number}") for number in range(8)]
    bad = tickers[5]
    session = KalshiSession(tickers)
    session.connected()
    refused: list[MarketId] = []
    sid = 0
    for _ in range(40):
        sent = commands(session)
        if not sent:
            break
        for command in sent:
            if bad in command["params"]["market_tickers"]:
                reply = error(11, command=command["id"], sid=sid or None)
            elif command["cmd"] == "subscribe":
                sid = 1
                reply = subscribed(command=command["id"])
            else:
                reply = ok(command["id"], None)
            for event in feed(session, reply):
                assert isinstance(event, CommandRefused)
                refused += event.market_ids
    assert refused == [bad]
    assert set(session.market_ids()) == set(tickers) - {bad}


def test_too_many_markets_halves_the_chunk() -> None:
    tickers = [MarketId(f"KX-{number}") for number in range(100)]
    session = KalshiSession(tickers)
    session.connected()
    session.data_to_send()
    feed(session, error(26, command=1))
    assert actions(session) == [("subscribe", tickers[:50])]
    feed(session, subscribed(command=2))
    assert actions(session) == [("add_markets", tickers[50:])]


def test_too_many_commands_are_repeated_after_a_second() -> None:
    session = streaming(A)
    session.want([A, B])
    session.data_to_send()
    feed(session, error(27, command=2))
    assert session.data_to_send() == []
    session.tick(SECOND_NS)
    assert actions(session) == [("add_markets", [B])]


def test_a_dead_sid_is_left_and_subscribed_anew() -> None:
    for code in (10, 25):
        session = streaming(A, B)
        feed(session, snapshot(1, A), snapshot(2, B))
        [lost] = feed(session, error(code, sid=1, seq=3))
        assert isinstance(lost, BooksLost)
        assert lost.market_ids == (A, B)
        assert actions(session) == [("unsubscribe", [1]), ("subscribe", [A, B])]
        feed(session, delta(4, A))  # what was still on its way
        assert session.counts.refused["after unsubscribe"] == 1
        feed(session, subscribed(2, command=3), snapshot(1, A, sid=2), snapshot(2, B, sid=2))
        assert session.live_markets == 2


def test_a_refused_snapshot_request_leads_to_a_new_subscription() -> None:
    session = streaming(A)
    feed(session, snapshot(1), delta(3))
    assert actions(session) == [("get_snapshot", [A])]
    feed(session, error(13, command=2, sid=1))
    assert actions(session) == [("unsubscribe", [1]), ("subscribe", [A])]


def test_a_snapshot_that_does_not_come_leads_to_a_new_subscription() -> None:
    session = streaming(A)
    feed(session, snapshot(1), delta(3))
    session.data_to_send()
    session.tick(4 * SECOND_NS)
    assert session.data_to_send() == []
    session.tick(6 * SECOND_NS)
    assert actions(session) == [("unsubscribe", [1]), ("subscribe", [A])]


def test_a_subscription_that_dies_again_and_again_makes_the_link_unusable() -> None:
    session = streaming(A)
    events = []
    for sid in range(1, 5):
        events = feed(session, error(25, sid=sid))
        ids = [command["id"] for command in commands(session) if command["cmd"] == "subscribe"]
        feed(session, *(subscribed(sid + 1, command=number) for number in ids))
    assert [type(event) for event in events] == [LinkUnusable]


def test_an_acknowledgement_that_never_comes_makes_the_link_unusable() -> None:
    session = KalshiSession([A])
    session.connected(0)
    assert session.tick(9 * SECOND_NS) == ()
    [unusable] = session.tick(11 * SECOND_NS)
    assert isinstance(unusable, LinkUnusable)


def test_commands_that_are_not_understood_make_the_link_unusable() -> None:
    session = KalshiSession([A])
    session.connected()
    [unusable] = feed(session, error(9, command=1))
    assert isinstance(unusable, LinkUnusable)


def test_a_book_whose_first_snapshot_does_not_come_is_asked_for() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A))
    session.tick(6 * SECOND_NS)
    assert actions(session) == [("get_snapshot", [B])]


def test_one_silent_market_does_not_disturb_the_others_for_ever() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A))
    others = 0
    for half_seconds in range(1, 240):
        assert not any(isinstance(event, LinkUnusable) for event in session.tick(half_seconds * SECOND_NS // 2))
        for command in commands(session):
            action = command["params"].get("action", command["cmd"])
            if action == "unsubscribe":
                others += 1
            if action == "subscribe":
                feed(session, subscribed(others + 1, command=command["id"]), snapshot(1, A, sid=others + 1))
    assert others <= 1
    assert levels(session, A) is not None
    assert levels(session, B) is None


def test_the_answer_to_a_list_of_subscriptions_is_harmless() -> None:
    session = streaming(A)
    feed(session, b'{"id":5,"type":"ok","msg":[{"channel":"orderbook_delta","sid":1}]}', snapshot(1))
    assert session.live_markets == 1


def test_an_acknowledgement_that_comes_twice_changes_nothing() -> None:
    session = streaming(A)
    feed(session, snapshot(1), subscribed())
    assert session.live_markets == 1
    assert session.counts.refused == {"unasked subscription": 1}


def test_what_was_refused_with_a_bad_ticker_is_asked_for_again_without_it() -> None:
    session = KalshiSession((A, B))
    session.connected(0)
    session.data_to_send()
    feed(session, error(11, command=1, tickers=[B]))
    session.tick(SECOND_NS // 2)
    assert actions(session) == []
    session.tick(SECOND_NS)
    assert actions(session) == [("subscribe", [A])]
    feed(session, subscribed(command=2), snapshot(1, A))
    session.tick(20 * SECOND_NS)
    assert session.live_markets == 1


def test_two_requests_that_stay_unanswered_together_cost_one_subscription() -> None:
    session = KalshiSession((A, B), chunk=1)
    session.connected(0)
    feed(session, subscribed(), ok(2, [A, B], seq=1), snapshot(2, A), snapshot(3, B))
    session.data_to_send()
    assert feed(session, delta(9, A)) == [BooksLost((A, B), "sid 1 went from seq 3 to 9")]
    assert actions(session) == [("get_snapshot", [A]), ("get_snapshot", [B])]
    session.tick(6 * SECOND_NS)
    assert actions(session) == [("unsubscribe", [1]), ("subscribe", [A])]


def test_a_sid_that_the_exchange_does_not_know_when_books_are_compared_is_left_at_once() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A), snapshot(2, B))
    session.audit(1)
    [asked] = commands(session)
    [lost] = feed(session, error(7, command=asked["id"]))
    assert isinstance(lost, BooksLost)
    assert lost.market_ids == (A, B)
    assert actions(session) == [("unsubscribe", [1]), ("subscribe", [A, B])]
