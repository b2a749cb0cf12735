"""The feed's pure parts: catalog differences, which connection carries what, and its settings."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.polymarket_feed.core import asset_of, catalog_changes
from services.polymarket_feed.settings import Settings
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.domain.fees import PolymarketFees
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.runtime.errors import SettingsRefused
from shared.runtime.settings import read_settings
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.catalog import price_steps
from tests.unit.polymarket.wire import NO, YES


def market(name: str = "0xa", **changes: Any) -> Market:
    listed = Market(
        venue=Venue.POLYMARKET,
        market_id=MarketId(name),
        event_id="1",
        title="Rain?",
        token_ids=(YES, NO),
        status=MarketStatus.OPEN,
        price_steps=price_steps(Decimal("0.001")),
        size_step_contracts=Decimal("0.01"),
        min_contracts=Decimal(5),
        fees=PolymarketFees(rate=Decimal("0.05"), effective_from=date(2026, 11, 21), source="Gamma, 2026-11-21"),
    )
    return msgspec.structs.replace(listed, **changes)


def known(*markets: Market) -> dict[MarketId, Market]:
    return {one.market_id: one for one in markets}


def test_new_changed_missing_and_closed_markets_each_get_their_message() -> None:
    before = known(market("0xa"), market("0xb"), market("0xc"), market("0xd"))
    changed = market("0xb", title="Snow?")
    listing = [market("0xa"), changed, market("0xc", status=MarketStatus.CLOSED), market("0xe")]
    assert catalog_changes(before, listing) == [
        MarketChanged(market=changed, changed=("title",)),
        MarketListed(market=market("0xe")),
        MarketClosed(venue=Venue.POLYMARKET, market_id=MarketId("0xc"), reason="status closed"),
        MarketClosed(venue=Venue.POLYMARKET, market_id=MarketId("0xd"), reason="not listed any more"),
    ]


def test_a_market_that_was_never_known_and_is_over_is_not_mentioned() -> None:
    assert catalog_changes({}, [market(status=MarketStatus.SETTLED)]) == []


def test_a_market_listed_twice_counts_once() -> None:
    assert len(catalog_changes({}, [market(), market(title="again")])) == 1


def test_fees_read_again_keep_their_first_date() -> None:
    again = PolymarketFees(rate=Decimal("0.05"), effective_from=date(2026, 11, 22), source="Gamma, 2026-11-22")
    assert catalog_changes(known(market()), [market(fees=again)]) == []
    [message] = catalog_changes(known(market()), [market(fees=again, title="Snow?")])
    assert isinstance(message, MarketChanged)
    assert message.market.fees == market().fees


def test_a_markets_book_is_that_of_outcome_zeros_token_with_its_terms_in_the_venues_text() -> None:
    assert asset_of(market()) == (
        YES,
        AssetTerms(market_id=MarketId("0xa"), condition_id="0xa", min_order_size="5", tick_size="0.001"),
    )


def test_settings_need_no_key_and_default_to_the_public_hosts() -> None:
    settings = read_settings(Settings, {"DUTCHBOOK_REDIS_URL": "redis://r"}, prefix="polymarket_feed")
    assert settings.ws_url == "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    assert settings.assets_per_connection == 200


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POLYMARKET_WS_URL", "https://clob.polymarket.com"),
        ("POLYMARKET_WS_URL", "ws://ws-subscriptions-clob.polymarket.com/ws/market"),
        ("POLYMARKET_CLOB_URL", "https://polymarket.com.evil.example"),
        ("POLYMARKET_CLOB_URL", "http://10.0.0.1:80"),
        ("POLYMARKET_GAMMA_URL", "nonsense."),
        ("POLYMARKET_GAMMA_URL", "https://[::1"),
        ("POLYMARKET_FEED_ASSETS_PER_CONNECTION", "201"),
        ("POLYMARKET_FEED_AUDIT_S", "0"),
        ("POLYMARKET_FEED_REFRESH_S", "soon"),
    ],
)
def test_wrong_settings_are_refused_and_show_what_was_found(variable: str, value: str) -> None:
    with pytest.raises(SettingsRefused, match=re.escape(value.rpartition("/")[2]) if "[" not in value else "not a URL"):
        read_settings(Settings, {"DUTCHBOOK_REDIS_URL": "redis://r", variable: value}, prefix="polymarket_feed")


@pytest.mark.parametrize(
    "url", ["https://ada:hush@gamma-api.polymarket.com", "https://gamma-api.polymarket.com?k=hush"]
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsRefused, match="without user name, password") as refused:
        read_settings(
            Settings, {"DUTCHBOOK_REDIS_URL": "redis://r", "POLYMARKET_GAMMA_URL": url}, prefix="polymarket_feed"
        )
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:8001", "[::1]:80", "venue_sim:8001"])
def test_a_simulator_on_this_machine_or_in_a_container_may_be_plain(host: str) -> None:
    environ = {"DUTCHBOOK_REDIS_URL": "redis://r", "POLYMARKET_CLOB_URL": f"http://{host}"}
    assert read_settings(Settings, environ, prefix="polymarket_feed").clob_url == f"http://{host}"
