"""Commands that need no running system: books, evaluate, fee and match."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from services.cli.evidence import evaluation_file
from services.cli.output import AsJson, write_json, write_line
from services.cli.simulated import SHIPPED_MAPPINGS
from services.cli.sources import bytes_of, lines_of
from services.matcher.mapping_files import load
from services.matcher.offline import RowRefused, match_files
from shared.domain.evaluation import MAX_FILE_BYTES, BasketReport, EvaluationRefused, EvaluationReport, evaluate_file
from shared.domain.fee_math import FeeReport, fee_report
from shared.domain.fees import KALSHI_RATES, FeeSchedule, FeesRefused, KalshiFees, KalshiFeeType, PolymarketFees
from shared.domain.market import Venue
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.venues.kalshi import replay as kalshi
from shared.venues.polymarket import replay as polymarket

SMALLEST = Decimal("0.000001")
_PRECISIONS = {"direct": Decimal("0.0001"), "fcm": Decimal("0.01")}


class Role(StrEnum):
    """Who removes and who provides liquidity."""

    TAKER = "taker"
    MAKER = "maker"


class Member(StrEnum):
    """The kind of Kalshi account, which decides how a balance is rounded."""

    DIRECT = "direct"
    FCM = "fcm"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("books")(books_command)
    app.command("evaluate")(evaluate_command)
    app.command("fee")(fee_command)
    app.command("match")(match_command)


def books_command(
    venue: Annotated[Venue, typer.Argument(help="Whose frames the file holds.")],
    file: Annotated[Path, typer.Argument(help="Frames, one per line, or a transcript; .jsonl or .jsonl.gz.")],
    frames: Annotated[int | None, typer.Option(min=0, help="Stop after this many frames.")] = None,
    use_yes_price: Annotated[
        bool, typer.Option(help="Kalshi: the recorded client had asked for YES prices on both sides.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay recorded frames through the venue's session and print the books they leave.

    Kalshi books are keyed by ticker, Polymarket books by token id: frames alone do not say which token is YES.
    """
    result: kalshi.ReplayResult | polymarket.ReplayResult
    if venue is Venue.KALSHI:
        result = kalshi.replay(lines_of(file), frames, use_yes_price=use_yes_price)
    else:
        result = polymarket.replay(lines_of(file), frames)
    if as_json:
        write_json(result)
        return
    for market_id, book in result.books.items():
        write_line(market_id)
        for name, levels in (("ask", reversed(book.yes_asks)), ("bid", book.yes_bids)):
            for price, size in levels:
                write_line(f"  {name} {price:>6} {size:>14}")
    for market_id in result.lost:
        write_line(f"{market_id}: not to be believed, frames that it needs were lost or refused")
    write_line(f"frames   {_counted(result.frames)}")
    write_line(f"gaps     {result.gaps}")
    write_line(f"refused  {_counted(result.refused)}")


def _counted(counts: dict[str, int]) -> str:
    """Return ``total (kind count, ...)``."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    return f"{sum(counts.values())} ({kinds})" if counts else "0"


def evaluate_command(
    file: Annotated[
        Path, typer.Argument(help="One pair or basket: books, fees, limits (JSON); or an opportunity from the stream.")
    ],
    as_json: AsJson = False,
) -> None:
    """Price one pair in both directions, or a basket: size, cost, fees, edge and the fills behind them."""
    try:
        report = evaluate_file(evaluation_file(bytes_of(file, most=MAX_FILE_BYTES + 1)))
    except EvaluationRefused as error:
        raise SettingsRefused(f"{file}: {error}") from None
    if as_json:
        write_json(report)
    elif isinstance(report, BasketReport):
        _print_basket(report)
    else:
        _print_evaluation(report)


def fee_command(
    venue: Annotated[Venue, typer.Argument()],
    price: Annotated[str, typer.Option(help="Price of the traded outcome in dollars, between 0 and 1.")],
    contracts: Annotated[str, typer.Option(help="Contracts.")],
    rate: Annotated[str, typer.Option(help="Polymarket: the market's fee rate, such as 0.05.")] = "",
    exponent: Annotated[int, typer.Option(min=0, help="Polymarket: the schedule's exponent.")] = 1,
    multiplier: Annotated[str, typer.Option(help="Kalshi: the series' or event's fee multiplier.")] = "1",
    fee_type: Annotated[str, typer.Option(help="Kalshi: the series' or event's fee type.")] = "quadratic",
    member: Annotated[Member, typer.Option(help="Kalshi: direct account or behind a broker.")] = Member.DIRECT,
    role: Annotated[Role, typer.Option(help="Who takes pays; makers pay on some Kalshi series.")] = Role.TAKER,
    as_json: AsJson = False,
) -> None:
    """Print one fee, with the formula and where it comes from."""
    try:
        schedule = (
            _kalshi_schedule(fee_type, multiplier, member, rate)
            if venue is Venue.KALSHI
            else _poly_schedule(rate, exponent)
        )
        report = fee_report(
            schedule,
            price_dollars=_number("--price", price, below=1),
            size_contracts=_number("--contracts", contracts),
            role=role.value,
        )
    except FeesRefused as error:
        raise SettingsRefused(str(error)) from None
    if as_json:
        write_json(report)
    else:
        _print_fee(report)


def match_command(
    kalshi_file: Annotated[Path, typer.Option("--kalshi", help="Kalshi markets, one JSON object per line.")],
    polymarket_file: Annotated[Path, typer.Option("--polymarket", help="Polymarket markets, likewise.")],
    out: Annotated[Path | None, typer.Option(help="Where the pairs go; stdout without it.")] = None,
    mappings: Annotated[Path, typer.Option(help="The mappings folder.")] = SHIPPED_MAPPINGS,
) -> None:
    """Match two files of venue objects: one JSON line per pair, candidates unless a template approves."""
    rows = match_files(kalshi_file, polymarket_file, load(mappings))
    try:
        if out is None:
            for row in rows:
                write_json(row)
            return
        with out.open("wb") as file:
            file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StartRefused(f"{error.filename or out}: {error.strerror}") from None
    except RowRefused as error:
        raise StartRefused(str(error)) from None


def _kalshi_schedule(fee_type: str, multiplier: str, member: Member, rate: str) -> FeeSchedule:
    known = get_args(KalshiFeeType)
    if rate:
        raise SettingsRefused("--rate is for polymarket: Kalshi's is published, see --fee-type and --multiplier")
    if fee_type not in known:
        raise SettingsRefused(f"--fee-type {fee_type!r}: expected one of {', '.join(known)}")
    return msgspec.convert(
        {
            "type": "kalshi",
            "fee_type": fee_type,
            "multiplier": _number("--multiplier", multiplier, least=Decimal(0)),
            "precision_dollars": _PRECISIONS[member],
            "effective_from": KALSHI_RATES.effective_from,
            "source": "the command line",
        },
        type=KalshiFees,
    )


def _poly_schedule(rate: str, exponent: int) -> FeeSchedule:
    if not rate:
        raise SettingsRefused("--rate is needed for polymarket: each market has its own (feeSchedule.rate)")
    return PolymarketFees(
        rate=_number("--rate", rate, least=Decimal(0)),
        exponent=exponent,
        effective_from=datetime.now(UTC).date(),
        source="the command line",
    )


def _number(option: str, text: str, *, below: int | None = None, least: Decimal = SMALLEST) -> Decimal:
    try:
        number = decimal_from_text(text)
    except NumberRefused as error:
        raise SettingsRefused(f"{option} {error}") from None
    if number < least or (below is not None and number >= below):
        upper = "" if below is None else f" and below {below}"
        raise SettingsRefused(f"{option} {text}: expected at least {least}{upper}")
    return number


def _print_fee(report: FeeReport) -> None:
    write_line(f"fee      ${report.fee_dollars}")
    write_line(f"cost     ${report.cost_dollars}   total ${report.total_dollars}")
    write_line(f"formula  {report.formula}")
    write_line(f"         {report.formula_with_numbers}")
    write_line(f"rounding {report.rounding}")
    write_line(f"source   {report.source} (effective from {report.effective_from})")


def _print_evaluation(report: EvaluationReport) -> None:
    for found in report.directions:
        write_line(
            f"{found.direction}: {found.contracts} contracts, cost ${found.cost_dollars}, "
            f"fees ${found.fee_dollars.kalshi} + ${found.fee_dollars.polymarket}, payout ${found.payout_dollars}, "
            f"edge ${found.edge_dollars}"
        )
    write_line(f"best: {report.best or 'none'}")


def _print_basket(report: BasketReport) -> None:
    write_line(
        f"{report.basket}: {report.contracts} contracts of each, cost ${report.cost_dollars}, "
        f"fees ${report.fee_dollars}, payout ${report.payout_dollars}, edge ${report.edge_dollars}"
    )
    for leg in report.legs:
        write_line(f"  {leg.side} of {leg.market}: up to ${leg.limit_price_dollars or 'nothing'}")
    for assumption in report.assumes:
        write_line(f"  assumes: {assumption}")
