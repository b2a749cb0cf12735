"""What this project does where Kalshi surprises its clients, each row with the tests that prove it.

``python -m tests.contract.kalshi_behaviour`` writes ``docs/kalshi-behaviour.md`` from these rows; a test requires that
the page is what they make and that every named test exists. A row without a test says what is not covered, and why.
"""

# ruff: noqa: E501 - a sentence of a table is one thing

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "kalshi-behaviour.md"

AUTH = "tests/unit/kalshi/test_kalshi_auth.py"
SESSION = "tests/unit/kalshi/test_kalshi_session.py"
SUBS = "tests/unit/kalshi/test_kalshi_subscriptions.py"
CATALOG = "tests/unit/kalshi/test_kalshi_urls_and_catalog.py"
FEED = "tests/unit/kalshi/test_kalshi_feed_parts.py"
REST = "tests/unit/kalshi/test_kalshi_public_rest.py"
LIFE = "tests/unit/kalshi/test_kalshi_lifecycle.py"
FAULTS = "tests/faults/test_kalshi_faults.py"
LINK_FAULTS = "tests/faults/test_kalshi_link_faults.py"
ORDERS = "tests/service/test_venue_sim_orders.py"
SIM_REST = "tests/service/test_venue_sim_kalshi_rest.py"
SIM_WS = "tests/service/test_venue_sim_kalshi_ws.py"
CAPTURED_REST = "tests/contract/test_kalshi_captures_rest.py"
CAPTURED_WS = "tests/contract/test_kalshi_captures_ws.py"
LINK = "tests/unit/io/test_io_keep_connected.py"
FEES = "tests/unit/domain/test_fee_examples.py"
OUR_ORDERS = "tests/property/test_orders.py"
EXECUTOR = "tests/unit/kalshi_executor/test_executor.py"
LEDGER = "tests/unit/kalshi_executor/test_ledger.py"
NUMBERS = "tests/unit/domain/test_numbers.py"
EVALUATION = "tests/unit/domain/test_evaluation.py"
POLLED = "tests/service/test_kalshi_feed_polled.py"
SCALE = "tests/unit/kalshi/test_kalshi_scale.py"
ACCOUNT = "tests/unit/kalshi/test_kalshi_account.py"
CHANNELS = "tests/unit/kalshi/test_kalshi_channels.py"
SERVICE = "tests/service/test_kalshi_feed.py"


class Row(NamedTuple):
    """One surprise."""

    surprise: str
    """What older guides say or what programs do, in our words."""
    behaviour: str
    """What happens here."""
    tests: tuple[tuple[str, str], ...]
    """File and function of each test."""


PROBLEMS: tuple[Row, ...] = (
    Row(
        "Keys and hosts of demo and production get mixed up",
        "One environment per process; the wrong host, both keys or a readable key file stop the start; the four 401 causes are told apart",
        (
            (FEED, "test_settings_that_must_not_run_are_refused_by_name"),
            (CATALOG, "test_an_address_outside_its_environment_is_refused"),
            (CAPTURED_REST, "test_the_recorded_401_bodies_are_told_apart"),
        ),
    ),
    Row(
        "Signatures fail because of path, query or a stale time",
        "The full path without query is signed, anew for every attempt; the clock is compared with the Date header",
        (
            (AUTH, "test_an_rsa_signature_is_pss_over_time_method_and_full_path"),
            (AUTH, "test_a_query_is_never_signed"),
            (REST, "test_the_clock_is_alarmed_about_once_when_it_is_surely_two_seconds_off"),
        ),
    ),
    Row(
        "Reconnecting storms or never backs off",
        "Jittered pauses that start over only after ten seconds of data; a second 401 waits the longest pause and pages",
        (
            (LINK, "test_a_venue_that_accepts_and_hangs_up_is_not_dialled_in_a_rush"),
            (LINK, "test_ten_seconds_of_talk_start_the_pauses_over"),
            (LINK_FAULTS, "test_k12_a_venue_that_accepts_and_closes_is_not_stormed"),
        ),
    ),
    Row(
        "Sequence gaps and drift go unnoticed, or a reconnect looks like a gap for ever",
        "State belongs to one connection; a gap withdraws every book of the sid and fetches them; negative levels are drift",
        (
            (FAULTS, "test_k01_a_gap_withdraws_every_book_of_the_sid_and_a_snapshot_brings_them_back"),
            (SESSION, "test_a_new_connection_starts_over_with_sids_and_numbers"),
            (SESSION, "test_a_level_below_zero_loses_that_book_alone"),
        ),
    ),
    Row(
        "Order books hold bids only, in an order that is not guaranteed",
        "Asks are derived from the other side's bids and every level is sorted by us",
        (
            (SESSION, "test_a_snapshot_becomes_yes_bids_and_yes_asks"),
            (CATALOG, "test_order_books_by_rest_are_sorted_by_us"),
        ),
    ),
    Row(
        "Paging takes the wrong list or never ends",
        "Every listing names its key; a repeated cursor or endless pages are refused and close nothing",
        (
            (REST, "test_a_listing_is_followed_to_its_empty_cursor_and_keeps_each_item_once"),
            (REST, "test_a_cursor_that_lies_or_never_ends_is_refused"),
            (FEED, "test_pages_in_a_circle_leave_the_catalog_alone"),
        ),
    ),
    Row(
        "Fields that were integers are gone",
        "Only fixed-point strings are read; a missing required field refuses its object alone",
        (
            (REST, "test_a_trade_is_read_exactly"),
            (CATALOG, "test_one_odd_object_does_not_cost_the_page"),
            (CAPTURED_REST, "test_every_recorded_sports_market_is_read"),
        ),
    ),
    Row(
        "Fixed-point text becomes a wrong or endless number",
        "One strict gate, exact scaling, refusals by name",
        (
            (NUMBERS, "test_what_is_no_plain_decimal_is_refused_by_name"),
            (REST, "test_a_number_that_is_no_plain_text_spoils_its_trade_alone"),
        ),
    ),
    Row(
        "An order is sent twice after a timeout",
        "Ids are made from the intent, journaled before sending, and an open order is never tried again",
        (
            (OUR_ORDERS, "test_the_name_of_a_leg_is_made_again_the_same_and_differs_in_every_part"),
            (EXECUTOR, "test_the_order_stands_as_sending_on_disk_before_the_transport_is_asked"),
            (LEDGER, "test_the_same_intent_cannot_be_journaled_twice"),
        ),
    ),
    Row(
        "Rate limits are counted in requests, by a wall clock",
        "Token buckets by a monotonic clock from the account's own numbers, reads and writes apart, one per shard",
        (
            (REST, "test_nine_creates_go_at_once_and_the_tenth_waits_a_ninth_of_a_second"),
            (REST, "test_never_more_is_taken_than_the_bucket_and_its_refill"),
            (REST, "test_a_429_empties_the_bucket_and_pauses_grow_to_five_seconds"),
            (ACCOUNT, "test_the_accounts_buckets_are_learnt_and_used"),
        ),
    ),
)
"""The ten well-known integration problems."""

CORRECTIONS: tuple[Row, ...] = (
    Row(
        "Trading is free",
        "Fees come from series, override and dated rates; unknown terms leave a pair alert-only",
        ((FEES, "test_kalshi_taker_fees"), (CATALOG, "test_missing_or_unknown_terms_mean_no_fees")),
    ),
    Row(
        "Two prices below 0.98 are an arbitrage",
        "Cost with fees at every depth; an empty side has no price",
        (
            (EVALUATION, "test_the_example_is_priced_as_worked_by_hand"),
            (EVALUATION, "test_without_an_edge_there_is_no_best_direction"),
        ),
    ),
    Row(
        "Old hosts",
        "Hosts are settings; the recommended ones are the defaults",
        ((FEED, "test_the_defaults_are_the_demo_environment"), (CATALOG, "test_the_default_addresses_are_allowed")),
    ),
    Row(
        "The short path is signed",
        "The path of the final URL is signed, without query",
        ((CATALOG, "test_the_signed_path_is_the_path_without_host_and_query"),),
    ),
    Row("Only RSA keys", "RSA or Ed25519 by the type of the key", ((AUTH, "test_an_ed25519_key_signs_the_same_text"),)),
    Row(
        "A wrong environment fails silently",
        "The cause of a 401 is named with its remedy",
        (
            (FEED, "test_the_second_401_in_a_row_alerts_with_the_remedy_and_the_third_is_silent"),
            (LINK_FAULTS, "test_k13_one_401_is_tried_again_at_once_and_two_page_somebody"),
        ),
    ),
    Row(
        "Orders go to the old path",
        "The simulator answers 410 there and takes V2",
        (
            (SIM_REST, "test_every_request_for_an_order_is_counted_even_when_it_is_refused"),
            (ORDERS, "test_a_taker_gets_the_makers_prices_and_the_answer_says_what_filled"),
        ),
    ),
    Row(
        "Cancel and decrease by the old paths, with integers",
        "V2 paths and strings",
        ((ORDERS, "test_decreasing_keeps_the_place_and_amending_the_price_loses_it"),),
    ),
    Row(
        "A NO price sent as a YES price",
        "One function maps an intent to YES price and side",
        ((OUR_ORDERS, "test_buying_no_takes_the_yes_bids_from_the_highest"),),
    ),
    Row(
        "Fill-or-kill is taken for immediate-or-cancel",
        "They are different; a killed order uses its id up",
        (
            (ORDERS, "test_what_an_immediate_order_does_not_fill_is_cancelled"),
            (ORDERS, "test_a_killed_order_fills_nothing_and_uses_its_id_up"),
        ),
    ),
    Row(
        "`expiration_ts`",
        "`expiration_time`, for resting orders only",
        ((ORDERS, "test_an_order_expires_at_its_time"), (ORDERS, "test_what_the_venue_refuses_and_in_which_words")),
    ),
    Row(
        "The exchange caps an order's cost",
        "The ledger counts what an order can cost at most before it is sent",
        ((LEDGER, "test_usage_counts_open_orders_at_their_most_and_done_ones_at_what_they_took"),),
    ),
    Row(
        "`reduce_only` is sent by default",
        "It takes no more than is held, and only with an immediate order",
        ((ORDERS, "test_reduce_only_takes_no_more_than_is_held"),),
    ),
    Row(
        "A client order id makes a retry safe",
        "It is a uniqueness key, used up by cancelled orders too",
        ((ORDERS, "test_a_client_order_id_is_used_up_by_a_cancelled_order_too_but_not_by_a_refused_one"),),
    ),
    Row(
        "Filter words are taken for a market's status",
        "Responses have their own words, mapped one by one",
        ((CATALOG, "test_status_words_of_responses"), (SIM_REST, "test_markets_can_be_filtered")),
    ),
    Row(
        "`volume` without `_fp` reads as 0",
        "Nothing is read by a name that is gone",
        ((REST, "test_candles_of_both_tiers_are_the_same_candle"),),
    ),
    Row(
        "`expiration_time` says when a market ends",
        "Close time and expected end are carried apart; closing by time withdraws the quote",
        ((LIFE, "test_a_market_closes_by_time_without_a_message_unless_the_time_was_moved"),),
    ),
    Row(
        "A flag says which markets trade fractions",
        "Every market trades hundredths",
        ((CAPTURED_REST, "test_every_recorded_sports_market_is_read"),),
    ),
    Row(
        "Three labels of price grids",
        "Only `price_ranges` counts",
        (
            (CATALOG, "test_a_market_without_a_grid_trades_in_whole_cents"),
            (CAPTURED_REST, "test_every_recorded_sports_market_is_read"),
        ),
    ),
    Row("The best level is last", "Sorted by us", ((CATALOG, "test_order_books_by_rest_are_sorted_by_us"),)),
    Row(
        "Order books need a signature",
        "Without a key public books are polled, unsigned",
        ((POLLED, "test_without_a_key_public_books_are_polled_and_say_so"),),
    ),
    Row(
        "Positions under `positions`",
        "Not read by this project's services yet; the simulator has the real names",
        ((ORDERS, "test_positions_net_and_selling_what_is_held_needs_no_cash"),),
    ),
    Row(
        "A position has a side",
        "The sign says it",
        ((ORDERS, "test_positions_net_and_selling_what_is_held_needs_no_cash"),),
    ),
    Row(
        "The balance in cents is exact",
        "Cash is counted exactly, per shard",
        ((ORDERS, "test_a_bid_holds_back_its_price_and_an_ask_the_rest_of_the_dollar"),),
    ),
    Row(
        "One balance for everything",
        "Each shard holds its own cash",
        (
            (ORDERS, "test_more_than_the_shard_holds_is_refused_and_an_unknown_shard_too"),
            (CATALOG, "test_the_shard_comes_from_the_market_then_from_the_event"),
        ),
    ),
    Row(
        "The first list of a body is the listing",
        "Each listing names its key and guards its cursor",
        (
            (REST, "test_the_other_bodies_are_read_by_their_names"),
            (CATALOG, "test_paging_ends_at_an_empty_cursor_and_refuses_circles"),
        ),
    ),
    Row(
        "The historical cutoff has three fields",
        "A fourth is read when it is there; both tiers are merged by id",
        (
            (REST, "test_the_other_bodies_are_read_by_their_names"),
            (REST, "test_the_tiers_are_merged_by_id_and_the_live_one_counts"),
        ),
    ),
    Row(
        "A snapshot has both sides",
        "A missing side is an empty one",
        ((SESSION, "test_a_missing_side_is_an_empty_side"), (SIM_WS, "test_a_side_without_levels_has_no_key")),
    ),
    Row(
        "Every frame has `sid` and `seq`",
        "Control frames may or may not take a number; both readings pass",
        (
            (SESSION, "test_control_frames_may_or_may_not_take_a_number"),
            (SESSION, "test_other_channels_are_counted_and_their_numbers_are_their_own"),
        ),
    ),
    Row(
        "After a gap, subscribe again",
        "`get_snapshot` first, a new subscription when that does not help",
        (
            (SESSION, "test_a_gap_loses_every_book_of_the_sid_at_once_and_asks_for_all"),
            (SUBS, "test_a_snapshot_that_does_not_come_leads_to_a_new_subscription"),
        ),
    ),
    Row(
        "A level below zero is removed",
        "The book is withdrawn and fetched anew",
        (
            (SESSION, "test_a_level_below_zero_loses_that_book_alone"),
            (FAULTS, "test_k07_k08_a_level_below_zero_or_a_crossed_book_is_withdrawn_and_fetched_anew"),
        ),
    ),
    Row(
        "A checksum validates the book",
        "There is none: books are compared with snapshots in sequence, and what differed is counted",
        (
            (LIFE, "test_a_streamed_book_is_compared_with_a_snapshot_in_its_place_of_the_sequence"),
            (LIFE, "test_a_book_that_differs_from_its_snapshot_is_replaced_and_counted"),
        ),
    ),
    Row(
        "The price of side `no` is on its own scale",
        "The scale is asked for explicitly and proven on every connection before a NO price is quoted; both give the same book",
        (
            (SESSION, "test_it_subscribes_with_the_price_scale_said"),
            (SESSION, "test_prices_on_the_yes_scale_give_the_same_book"),
            (SCALE, "test_a_deep_book_proves_the_scale_and_releases_the_others"),
            (FAULTS, "test_k26_prices_on_another_scale_than_asked_for_are_never_quoted"),
        ),
    ),
    Row(
        "Channel names are message types",
        "Other channels' messages are told by their own types and cost no book",
        ((SESSION, "test_other_channels_are_counted_and_their_numbers_are_their_own"),),
    ),
    Row(
        "Back-off starts over after subscribing",
        "After ten seconds of data",
        (
            (LINK, "test_ten_seconds_of_talk_start_the_pauses_over"),
            (LINK, "test_the_second_refusal_of_the_key_in_a_row_waits_the_longest_pause"),
            (CHANNELS, "test_every_recorded_message_of_every_channel_is_read"),
        ),
    ),
    Row(
        "Pings every ten seconds",
        "Answered by the library; ours go each second, and pings prove nothing about data",
        (
            (SIM_WS, "test_the_heartbeat_is_a_ping_with_its_name"),
            (FAULTS, "test_k11_a_frozen_stream_is_noticed_by_asking_and_not_by_pings"),
        ),
    ),
    Row(
        "Tiers are requests per second",
        "Buckets are read from the account",
        ((REST, "test_nine_creates_go_at_once_and_the_tenth_waits_a_ninth_of_a_second"),),
    ),
    Row(
        "A batch has at most 20 orders",
        "A batch may be what the bucket pays for",
        (
            (REST, "test_a_request_costs_what_the_price_list_says"),
            (REST, "test_a_request_larger_than_the_bucket_is_refused_at_once"),
            (ACCOUNT, "test_the_accounts_buckets_are_learnt_and_used"),
        ),
    ),
    Row(
        "The token bucket sleeps in a thread",
        "A pure bucket says how long to wait",
        ((REST, "test_never_more_is_taken_than_the_bucket_and_its_refill"),),
    ),
    Row(
        "429 says when to come back",
        "It does not: the bucket is emptied and the pause grows; where a handshake is refused with `Retry-After`, that is honoured",
        (
            (REST, "test_a_429_empties_the_bucket_and_pauses_grow_to_five_seconds"),
            (FEED, "test_a_refused_page_is_asked_for_again"),
            (LINK_FAULTS, "test_k14_a_handshake_that_is_told_to_come_later_comes_later"),
        ),
    ),
    Row("FIX 4.4", "Not used: everything goes by REST and WebSocket", ()),
    Row(
        "A recommended SDK of an older Python",
        "No SDK is a dependency; the official one is an oracle in a virtual environment of its own (`make conformance-kalshi`)",
        (),
    ),
    Row("Deprecated SDKs are official", "As above", ()),
    Row(
        "Nothing on settlement fees",
        "Settling pays the winners and charges nothing",
        ((ORDERS, "test_a_closed_market_takes_no_order_and_settling_it_pays_the_winners"),),
    ),
    Row(
        "A contract pays 1 or 0",
        "Scalar markets are never paired",
        ((CATALOG, "test_combos_and_scalars_are_never_matched"),),
    ),
    Row(
        "A ticker can be decoded",
        "Event, series and strikes come from their fields",
        ((CAPTURED_REST, "test_strikes_are_read_from_their_own_digits"),),
    ),
    Row(
        "No integers are left",
        "Types are given field by field",
        (
            (REST, "test_candles_of_both_tiers_are_the_same_candle"),
            (SIM_REST, "test_a_market_has_every_required_field_in_the_venues_text_formats"),
        ),
    ),
    Row(
        "One page of events is all",
        "Pages are followed to the end; combos are left out",
        ((FEED, "test_all_pages_are_read_and_the_series_once"),),
    ),
    Row(
        "Market orders protect from slippage",
        "There are none; a limit is the worst price that is taken",
        ((OUR_ORDERS, "test_levels_beyond_the_limit_are_left_alone_and_the_last_one_is_taken_in_part"),),
    ),
)
"""Where guides of March 2026 and the exchange of late 2026 differ, in the reference's order."""


def page() -> str:
    """Return the page."""
    proven = sum(bool(row.tests) for row in PROBLEMS + CORRECTIONS)
    lines = [
        "# How this project behaves at Kalshi",
        "",
        "Written by `python -m tests.contract.kalshi_behaviour` from the table in `tests/contract/kalshi_behaviour.py`;",
        "a test fails when this page is stale or a named test does not exist. Kalshi's rules as read on 2026-11-21.",
        f"{proven} of {len(PROBLEMS + CORRECTIONS)} rows have tests; the others say why not.",
        "",
        "## Ten well-known integration problems",
        "",
        *_table(PROBLEMS),
        "",
        "## What guides of March 2026 say, and what holds in late 2026",
        "",
        *_table(CORRECTIONS),
    ]
    return "\n".join(lines) + "\n"


def missing_tests() -> list[str]:
    """Return every named test that does not exist."""
    known: dict[str, set[str]] = {}
    missing = []
    for row in PROBLEMS + CORRECTIONS:
        for file, name in row.tests:
            if file not in known:
                known[file] = _functions(ROOT / file)
            if name not in known[file]:
                missing.append(f"{file}::{name}")
    return missing


def _functions(path: Path) -> set[str]:
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _table(rows: tuple[Row, ...]) -> list[str]:
    head = ["| # | surprise | here | proof |", "|---|---|---|---|"]
    return head + [
        f"| {number} | {row.surprise} | {row.behaviour} | {'<br>'.join(_link(*test) for test in row.tests) or '–'} |"
        for number, row in enumerate(rows, 1)
    ]


def _link(file: str, name: str) -> str:
    return f"[`{name}`](../{file})"


if __name__ == "__main__":
    PAGE.write_text(page())
