"""``dutchbook bench``: our figures beside a naive baseline, both measured in one run on one machine."""

import asyncio
from typing import Annotated

import typer

from services.cli.bench import detector, kalshi, matcher, pipeline, polymarket
from services.cli.output import errors, write_json
from services.cli.simulated import SHIPPED_MAPPINGS
from services.matcher.mapping_files import load

app = typer.Typer(help="Figures beside a naive baseline, measured in the same run.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Figures beside a naive baseline, measured in the same run."""


@app.command("pipeline")
def pipeline_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of markets that are streamed.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Wire-to-intent latency and sustained messages per second of the real processes, beside the naive pipeline."""
    report = asyncio.run(pipeline.measure(pairs=pairs, seed=seed))
    if as_json:
        write_json(report)
    else:
        pipeline.print_report(report)


@app.command("kalshi")
def kalshi_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    messages: Annotated[int, typer.Option(min=1_000, help="Frames in one repetition.")] = 30_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each contestant, interleaved.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Kalshi frames to best prices, in messages per second, beside the naive way and pykalshi where installed."""
    report = kalshi.measure(messages=messages, repetitions=repetitions, seed=seed)
    if as_json:
        write_json(report)
    else:
        kalshi.print_report(report)


@app.command("polymarket")
def polymarket_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    frames: Annotated[int, typer.Option(min=1_000, help="Frames of one round.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the best of each counts.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """CPU from JSON to verified book to best price, with and without hashes, beside naive code and polyws."""
    report = polymarket.measure(frames=frames, rounds=rounds, seed=seed)
    if as_json:
        write_json(report)
    else:
        polymarket.print_report(report)


@app.command("detector")
def detector_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of books in one repetition.")] = 200,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each contestant, interleaved.")] = 25,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Pairs priced per second, best prices alone and twenty levels deep, beside naive code, uselayer and oracle3."""
    report = detector.measure(pairs=pairs, repetitions=repetitions, seed=seed)
    for name, why in report["missing"].items():
        errors.print(f"{name}: {why}")
    if as_json:
        write_json(report)
    else:
        detector.print_report(report)


@app.command("matcher")
def matcher_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    kalshi_listings: Annotated[int, typer.Option("--kalshi", min=100, help="Listings of Kalshi.")] = 100_000,
    polymarket_listings: Annotated[
        int, typer.Option("--polymarket", min=100, help="Listings of Polymarket.")
    ] = 200_000,
    candidates: Annotated[
        int, typer.Option(min=100, help="Listings of Polymarket among which candidates alone are looked for.")
    ] = 50_000,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Both whole venues matched, candidates alone, one new listing; beside rapidfuzz and arb-tool where installed."""
    sizes = matcher.Sizes(
        kalshi=kalshi_listings,
        polymarket=polymarket_listings,
        candidates_polymarket=min(candidates, polymarket_listings),
    )
    report = matcher.measure(load(SHIPPED_MAPPINGS), sizes, processes=processes, seed=seed)
    if report["ratios"]["times_arb_tool"] is None:
        errors.print(f"arb-tool: {report['arb_tool']['status']}")
    if as_json:
        write_json(report)
    else:
        matcher.print_report(report)
