"""One evaluation of one basket: which legs may be believed, is there an edge without the others, and what follows.

The gate is the pairs' own, leg by leg. A leg that may not be believed is left out where the basket pays without it, and
is the reason where it does not. An episode that was told with a leg ends when that leg may no longer be believed.
Every evaluation ends in exactly one counted outcome.
"""

from collections.abc import Callable, Sequence

from services.arb_detector import basket_messages, ids
from services.arb_detector.basket_state import BasketLeg, BasketState, BasketUnusable, Found
from services.arb_detector.caseload import Caseload
from services.arb_detector.config import DetectorConfig
from services.arb_detector.episodes import Episode, Step
from services.arb_detector.evidence import resumed
from services.arb_detector.links import Links
from services.arb_detector.trust import NOT_HEARD_YET, WANTS_A_QUOTE, Beat, Distrust, distrust
from shared.contracts.baskets import BasketOpened, BasketOpportunityMessage, BasketStanding, BasketUpdated
from shared.domain.live_basket import BasketId
from shared.runtime.clock import Clock

BasketEmission = BasketOpportunityMessage | BasketStanding

BASKET_GONE = "basket is no longer live"
BASKET_CHANGED = "basket has changed"
_NOT_HEARD_YET = NOT_HEARD_YET | {BasketUnusable.NOT_LISTED}
_PRICED_AGAIN_S = 0.1
"""The least pause between two prices of a basket that is too thin: a price of many legs costs milliseconds."""
Reason = BasketUnusable | Distrust


class BasketEvaluator:
    """Judges baskets one at a time."""

    def __init__(
        self, config: DetectorConfig, links: Links, clock: Clock, *, random_bits: Callable[[int], int]
    ) -> None:
        self._config = config
        self._links = links
        self._clock = clock
        self._random_bits = random_bits
        self.cases: Caseload[BasketId, BasketState] = Caseload()
        self.out: list[BasketEmission] = []

    def evaluate(self, state: BasketState, wire_ts_ns: int | None) -> None:
        """Judge a basket now; ``wire_ts_ns`` is the stamp of the frame that gave cause, None when time did."""
        state.is_held_back = False
        self.cases.note(state, self._outcome(state, wire_ts_ns))

    def close(self, state: BasketState, reason: str) -> None:
        """A basket is over: close what is open."""
        self.cases.drop(state)
        if state.watch.episode is not None:
            self._close(state, reason)

    def resume(self, state: BasketState | None, message: BasketOpened | BasketUpdated) -> None:
        """Take over an episode that another process left open; one of a basket that is gone or changed is closed."""
        episode = resumed(message, now_s=self._clock.monotonic_s())
        if state is None or state.basket.version != message.basket_version:
            self._say_closed(message.basket_id, episode, BASKET_GONE if state is None else BASKET_CHANGED)
            return
        state.told_legs = frozenset(leg.market_id for leg in message.legs)
        state.watch.begin(episode)
        self.cases.active[state.key] = state

    def distrusted(self, leg: BasketLeg) -> Distrust | None:
        """Return why a leg must not be acted upon now, or None."""
        beat, now_s = self._links.beat_of(leg.state), self._clock.monotonic_s()
        return distrust(leg.state, beat, now_s=now_s, limits=self._config.trust)

    def _outcome(self, state: BasketState, wire_ts_ns: int | None) -> str:
        if state.is_expired(self._clock.now_ns()):
            return self._give_up(state, BasketUnusable.EXPIRED)
        if state.unusable is not None:
            return self._give_up(state, state.unusable)
        is_open = state.watch.episode is not None
        quoted = state.quoted()
        is_promising = state.is_promising(quoted, is_open=is_open)
        if not is_promising and state.watch.is_idle and state.first_contract_e18(quoted) is not None:
            return Step.NO_EDGE
        reasons = {leg.member.market_id: self.distrusted(leg) for leg in state.legs if leg.terms is not None}
        for leg in state.legs:
            if is_open and leg.member.market_id in state.told_legs:
                lost = BasketUnusable.NOT_OPEN if leg.terms is None else reasons[leg.member.market_id]
                if lost is not None:
                    return self._give_up(state, lost, is_promising=is_promising)
        trusted = [leg for leg in quoted if reasons[leg.member.market_id] is None]
        blamed = [reasons[leg.member.market_id] for leg in state.useful(quoted)]
        against = self._against(state, trusted, [reason for reason in (*blamed, *reasons.values()) if reason])
        if against is not None:
            return self._give_up(state, against, is_promising=is_promising)
        return self._step(state, trusted, wire_ts_ns)

    def _against(
        self, state: BasketState, trusted: Sequence[BasketLeg], reasons: Sequence[Distrust]
    ) -> Distrust | None:
        """Return what stands against the basket of these legs; None when they belong together, or there is no edge.

        ``reasons`` are those of the other legs, the ones that matter most first. An open episode has lost none of its
        own legs here, so that its edge is its own affair.
        """
        is_open = state.watch.episode is not None
        if not state.is_promising(trusted, is_open=is_open):
            return reasons[0] if reasons and not is_open else None
        beats = [beat for leg in state.useful(trusted) if (beat := self._links.beat_of(leg.state)) is not None]
        return Distrust.SKEW if _apart_s(beats) > self._config.trust.skew_s else None

    def _step(self, state: BasketState, trusted: Sequence[BasketLeg], wire_ts_ns: int | None) -> Step:
        now_s = self._clock.monotonic_s()
        watch = state.watch
        is_open = watch.episode is not None
        is_promising = state.is_promising(trusted, is_open=is_open)
        if is_open:
            if is_promising and watch.may_hold(now_s):
                return Step.HOLDING
            return self._follow(state, self._price(state, trusted) if is_promising else None, now_s, wire_ts_ns)
        if not is_promising:
            watch.start_over()
            return Step.NO_EDGE
        if watch.is_idle:
            if now_s < state.thin_until_s:
                state.is_held_back = True
                return Step.TOO_THIN
            state.found = self._price(state, trusted)
        step = watch.without_episode(state.found, now_s)
        if step is Step.OPENED:
            found = self._price(state, trusted)
            if found is not None:
                self._open(state, found, wire_ts_ns)
                return step
            step = watch.without_episode(None, now_s)
        if step is Step.TOO_THIN:
            state.thin_until_s, state.is_held_back = now_s + _PRICED_AGAIN_S, True
        return step

    def _price(self, state: BasketState, legs: Sequence[BasketLeg]) -> Found | None:
        return state.price(legs, is_open=state.watch.episode is not None, now_ns=self._clock.now_ns())

    def _follow(self, state: BasketState, found: Found | None, now_s: float, wire_ts_ns: int | None) -> Step:
        """Go on with an open episode; it is told anew also when its legs are other ones."""
        watch = state.watch
        episode = watch.episode
        assert episode is not None
        step = watch.with_episode(found, now_s)
        if step is Step.CLOSED:
            self._close(state, "edge is gone")
        elif found is not None and (step is Step.UPDATED or self._has_other_legs(state, found, episode, now_s)):
            episode.told_s = now_s
            episode.note_told(found.edge_e10, found.size_e6)
            state.told_legs = found.market_ids
            opened = self._facts(state, found, episode, wire_ts_ns)
            self.out.append(basket_messages.updated(opened))
            return Step.UPDATED
        return step

    def _has_other_legs(self, state: BasketState, found: Found, episode: Episode, now_s: float) -> bool:
        is_due = now_s - episode.told_s >= self._config.rules.update_after_s
        return is_due and found.market_ids != state.told_legs

    def _open(self, state: BasketState, found: Found, wire_ts_ns: int | None) -> None:
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        new_id = ids.new_id(now_ns // 1_000_000, self._random_bits)
        episode = state.watch.episode_of(new_id, found, now_ns=now_ns, now_s=now_s)
        facts = self._facts(state, found, episode, wire_ts_ns)
        state.watch.begin(episode)
        state.told_legs = found.market_ids
        self.out.append(facts)

    def _facts(self, state: BasketState, found: Found, episode: Episode, wire_ts_ns: int | None) -> BasketOpened:
        return basket_messages.opened(
            state,
            found,
            episode,
            wire_ts_ns=wire_ts_ns,
            detected_ts_ns=self._clock.now_ns(),
            limits=state.limits(is_open=state.watch.episode is not None),
        )

    def _give_up(self, state: BasketState, reason: Reason, *, is_promising: bool = False) -> str:
        """Close what is open and forget what waited, except for an episode whose feeds have not spoken yet."""
        now_s, watch = self._clock.monotonic_s(), state.watch
        state.is_held_back = is_promising and reason not in WANTS_A_QUOTE
        watch.start_over()
        episode = watch.episode
        if episode is not None and not (reason in _NOT_HEARD_YET and episode.is_just_resumed(now_s)):
            self._close(state, state.in_full(reason.value))
        return reason.value

    def _close(self, state: BasketState, reason: str) -> None:
        state.told_legs = frozenset()
        self._say_closed(state.basket.basket_id, state.watch.end(self._clock.monotonic_s()), reason)

    def _say_closed(self, basket_id: BasketId, episode: Episode, reason: str) -> None:
        now_ns = self._clock.now_ns()
        self.out.append(basket_messages.closed(basket_id, episode, reason=reason, closed_ts_ns=now_ns))


def _apart_s(beats: Sequence[Beat]) -> float:
    """Return how far apart in time the legs' connections last proved themselves."""
    times_s = [beat.verified_s for beat in beats]
    return max(times_s) - min(times_s) if times_s else 0.0
