"""The commands of Kalshi's WebSocket and their answers, without a socket: text in, frames out.

Acknowledgements, error codes and who gets a ``seq`` follow the Kalshi API reference of 2026-11-21 (AsyncAPI of autumn
2026, recordings of June and August 2026).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from services.venue_sim import kalshi_frames as frames
from services.venue_sim.kalshi_subscriptions import BOOKS, CHANNELS, Broadcast, Receiver, Subscription

Json = dict[str, Any]

ERRORS = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    25: "Subscription buffer overflow",
}


class Refused(Exception):
    """A command that is answered with an error frame; ``subscription`` when it belongs to one."""

    def __init__(self, code: int, subscription: Subscription | None = None, *, ticker: str | None = None) -> None:
        super().__init__(ERRORS[code])
        self.code = code
        self.subscription = subscription
        self.ticker = ticker


class CommandDesk:
    """One connection's subscriptions and the commands that change them.

    ``say`` queues a control frame on the connection.
    """

    def __init__(self, broadcast: Broadcast, receiver: Receiver, say: Callable[[bytes], None]) -> None:
        self._broadcast = broadcast
        self._receiver = receiver
        self._say = say
        self._subscriptions: dict[int, Subscription] = {}
        self._next_sid = 1

    def receive(self, data: str | bytes) -> None:
        """Obey one command."""
        command_id: int | None = None
        try:
            command = _parsed(data)
            command_id = command.get("id") or None
            self._obey(command, command_id)
        except Refused as refusal:
            self._say_error(refusal, command_id)

    def end(self, subscription: Subscription, code: int) -> bytes:
        """End a subscription and return the error frame that says so: 25 for a client that is too slow."""
        self._broadcast.end(subscription)
        self._subscriptions.pop(subscription.sid, None)
        error = {"code": code, "msg": ERRORS[code]}
        return frames.control(
            {
                "type": "error",
                "sid": subscription.sid,
                "seq": subscription.take_seq(),
                "msg": error,
            }
        )

    def close(self) -> None:
        """Forget every subscription; the connection is gone."""
        for subscription in self._subscriptions.values():
            self._broadcast.end(subscription)
        self._subscriptions.clear()

    def _obey(self, command: Json, command_id: int | None) -> None:
        name = command.get("cmd")
        if name == "list_subscriptions":
            listed = [{"channel": s.channel, "sid": s.sid} for s in self._subscriptions.values()]
            self._say(frames.control({"id": command_id, "type": "ok", "msg": listed}))
            return
        commands = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "update_subscription": self._update,
        }
        if name not in commands:
            raise Refused(5)
        params = command.get("params")
        if not isinstance(params, dict) or not params:
            raise Refused(2)
        commands[name](params, command_id)

    # --- subscribe ------------------------------------------------------------------------------------------------

    def _subscribe(self, params: Json, command_id: int | None) -> None:
        channels = params.get("channels")
        if not isinstance(channels, list) or not channels:
            raise Refused(3)
        if any(channel not in CHANNELS for channel in channels):
            raise Refused(8)
        tickers = self._tickers(params)
        if BOOKS in channels and not tickers:
            raise Refused(14)
        yes_scale = params.get("use_yes_price", False)
        if not isinstance(yes_scale, bool):
            raise Refused(11)
        for channel in dict.fromkeys(channels):
            self._join(channel, tickers, command_id, yes_scale=yes_scale, params=params)

    def _join(self, channel: str, tickers: list[str], command_id: int | None, *, yes_scale: bool, params: Json) -> None:
        """Open a subscription, or extend the one this connection already has on the channel."""
        known = next((s for s in self._subscriptions.values() if s.channel == channel), None)
        subscription = known or Subscription(self._receiver, self._next_sid, channel, yes_scale=yes_scale)
        added = self._broadcast.add(subscription, tickers)
        if known is None:
            self._next_sid += 1
            self._subscriptions[subscription.sid] = subscription
            if self._broadcast.ack_is_late():
                self._send_snapshots(subscription, added)
                added = []
            opened = {"channel": channel, "sid": subscription.sid}
            self._say(frames.control({"id": command_id, "type": "subscribed", "msg": opened}))
        else:
            self._say_ok(subscription, command_id, params)
        self._send_snapshots(subscription, added)

    def _send_snapshots(self, subscription: Subscription, tickers: list[str], *, command_id: int | None = None) -> None:
        if subscription.channel == BOOKS:
            for ticker in tickers:
                self._broadcast.send_snapshot(subscription, ticker, command_id=command_id)

    # --- change and end -------------------------------------------------------------------------------------------

    def _update(self, params: Json, command_id: int | None) -> None:
        subscription = self._one_subscription(params)
        action = params.get("action")
        if not action:
            raise Refused(15, subscription)
        if action not in ("add_markets", "delete_markets", "get_snapshot"):
            raise Refused(13, subscription)
        tickers = self._tickers(params, subscription)
        if not tickers:
            raise Refused(14, subscription)
        if action == "get_snapshot":
            strange = next((ticker for ticker in tickers if ticker not in subscription.tickers), None)
            if strange is not None or subscription.channel != BOOKS:
                raise Refused(11, subscription, ticker=strange)
            self._send_snapshots(subscription, tickers, command_id=command_id)
            return
        added: list[str] = []
        if action == "add_markets":
            added = self._broadcast.add(subscription, tickers)
        else:
            self._broadcast.remove(subscription, tickers)
        self._say_ok(subscription, command_id, params)
        self._send_snapshots(subscription, added)

    def _unsubscribe(self, params: Json, command_id: int | None) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise Refused(4)
        for sid in sids:
            subscription = self._known(sid)
            self._broadcast.end(subscription)
            del self._subscriptions[subscription.sid]
            self._say(
                frames.control(
                    {
                        "id": command_id,
                        "sid": subscription.sid,
                        "seq": subscription.take_seq(),
                        "type": "unsubscribed",
                    }
                )
            )

    def _one_subscription(self, params: Json) -> Subscription:
        sids = params.get("sids", [params["sid"]] if "sid" in params else [])
        if not isinstance(sids, list) or len(sids) != 1:
            raise Refused(12)
        return self._known(sids[0])

    def _known(self, sid: object) -> Subscription:
        subscription = self._subscriptions.get(sid) if isinstance(sid, int) else None
        if subscription is None:
            raise Refused(7)
        return subscription

    def _tickers(self, params: Json, subscription: Subscription | None = None) -> list[str]:
        several = params.get("market_tickers", [])
        if not isinstance(several, list):
            raise Refused(11, subscription)
        tickers = [*several, *([params["market_ticker"]] if "market_ticker" in params else [])]
        for ticker in tickers:
            if not isinstance(ticker, str) or ticker not in self._broadcast.markets:
                raise Refused(11, subscription, ticker=str(ticker))
        return tickers

    # --- answers --------------------------------------------------------------------------------------------------

    def _say_ok(self, subscription: Subscription, command_id: int | None, params: Json) -> None:
        listed = None if params.get("skip_ticker_ack") else {"market_tickers": list(subscription.tickers)}
        self._say(
            frames.control(
                {
                    "id": command_id,
                    "sid": subscription.sid,
                    "seq": subscription.take_seq() if self._broadcast.ok_takes_seq() else None,
                    "type": "ok",
                    "msg": listed,
                }
            )
        )

    def _say_error(self, refusal: Refused, command_id: int | None) -> None:
        subscription = refusal.subscription
        error: Json = {"code": refusal.code, "msg": ERRORS[refusal.code]}
        if refusal.ticker is not None:
            error["market_ticker"] = refusal.ticker
        self._say(
            frames.control(
                {
                    "id": command_id,
                    "sid": subscription.sid if subscription else None,
                    "seq": subscription.take_seq() if subscription else None,
                    "type": "error",
                    "msg": error,
                }
            )
        )


def _parsed(data: str | bytes) -> Json:
    try:
        command = msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise Refused(1) from None
    if not isinstance(command, dict) or not isinstance(command.get("id", 0), int):
        raise Refused(1)
    return command
