"""The demo's live table."""

from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.watch import Seen
from shared.domain.market import Venue

_SHOWN = 12


def live_table(seen: Seen, *, header: str, alerts: int) -> RenderableType:
    """Return what the demo shows now: counts, open opportunities with their legs, and the last things that happened."""
    counts = Text(
        f"{header}\n"
        f"frames: kalshi {seen.venue_frames(Venue.KALSHI):,}  polymarket {seen.venue_frames(Venue.POLYMARKET):,}   "
        f"quotes {seen.all_quotes():,}   opened {len(seen.opened)}  closed {len(seen.closed)}   "
        f"intents {seen.intents}  filled {seen.filled}  refused {seen.refused}   alerts {alerts}\n"
    )
    table = Table(title="open opportunities", title_justify="left", expand=True)
    for heading in ("pair", "buy on Kalshi", "buy on Polymarket", "contracts", "cost", "fees", "edge"):
        table.add_column(heading, justify="right" if heading in {"contracts", "cost", "fees", "edge"} else "left")
    for message in list(seen.latest.values())[-_SHOWN:]:
        kalshi, polymarket = message.legs
        table.add_row(
            Text(message.title or message.pair_id, overflow="ellipsis"),
            f"{kalshi.outcome.upper()} <= {kalshi.limit_price_dollars}",
            f"{polymarket.outcome.upper()} <= {polymarket.limit_price_dollars}",
            str(message.contracts),
            _dollars(message.cost_dollars),
            _dollars(message.fee_dollars),
            Text(_dollars(message.edge_dollars), style="bold green"),
        )
    return Group(counts, table, *(Text(event) for event in seen.events))


def _dollars(amount: Decimal) -> str:
    return f"${amount:.4f}"
