"""``dutchbook bench``: our figures beside a naive baseline, both measured in one run on one machine."""

import asyncio
from typing import Annotated

import typer

from services.cli.bench import chart, contestants, detector, kalshi, matcher, overload, pipeline, polymarket, scale
from services.cli.output import AsJson, errors, write_line, write_report
from services.cli.simulated import SHIPPED_MAPPINGS
from services.matcher.mapping_files import load

app = typer.Typer(help="Figures beside a naive baseline, measured in the same run.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Figures beside a naive baseline, measured in the same run."""


@app.command("pipeline")
def pipeline_command(
    as_json: AsJson = False,
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of markets that are streamed.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Wire-to-intent latency and sustained messages per second of the real processes, beside the naive pipeline."""
    report = asyncio.run(pipeline.measure(pairs=pairs, seed=seed))
    write_report(report, pipeline.print_report, as_json=as_json)


@app.command("overload")
def overload_command(
    as_json: AsJson = False,
    capacity: Annotated[int, typer.Option(min=1_000, help="Messages per second that are held; twice as many come.")] = (
        50_000
    ),
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of markets that are streamed.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Twice the capacity for five seconds: how late our pipeline gets, how soon it is back, and nothing stays old."""

    async def run() -> overload.Overload:
        async with pipeline.running(contestants.ours, pairs=pairs, seed=seed) as bench:
            return await overload.overload(bench, capacity)

    found = asyncio.run(run())
    write_report(found, overload.print_overload, as_json=as_json)


@app.command("scale")
def scale_command(
    as_json: AsJson = False,
    pairs: Annotated[str, typer.Option(help="Numbers of pairs, with commas between.")] = scale.DEFAULT_PAIRS,
    rates: Annotated[str, typer.Option(help="Messages per second, with commas between.")] = scale.DEFAULT_RATES,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """What a message costs our pipeline by number of pairs and message rate, and where the curve bends."""
    curves = asyncio.run(scale.measure(pairs=_numbers(pairs), rates=_numbers(rates), seed=seed))
    write_report(curves, scale.print_curves, as_json=as_json)


@app.command("stages")
def stages_command(
    rate: Annotated[int, typer.Option(min=1_000, help="Messages per second of the busy chart.")] = 40_000,
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of markets that are streamed.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Where the time goes in our pipeline, as a text chart."""

    async def run() -> list[str]:
        async with pipeline.running(contestants.ours, pairs=pairs, seed=seed) as bench:
            light = await bench.probe(pipeline.LIGHT_RATE, pipeline.LIGHT_SECONDS)
            return chart.stages_chart(light, await bench.probe(rate, pipeline.PROBE_SECONDS))

    for line in asyncio.run(run()):
        write_line(line)


def _numbers(text: str) -> list[int]:
    try:
        return scale.numbers(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected whole numbers with commas between") from None


@app.command("kalshi")
def kalshi_command(
    as_json: AsJson = False,
    messages: Annotated[int, typer.Option(min=1_000, help="Frames in one repetition.")] = 30_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each contestant, interleaved.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Kalshi frames to best prices, in messages per second, beside the naive way and pykalshi where installed."""
    report = kalshi.measure(messages=messages, repetitions=repetitions, seed=seed)
    write_report(report, kalshi.print_report, as_json=as_json)


@app.command("polymarket")
def polymarket_command(
    as_json: AsJson = False,
    frames: Annotated[int, typer.Option(min=1_000, help="Frames of one round.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the best of each counts.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """CPU from JSON to verified book to best price, with and without hashes, beside naive code and polyws."""
    report = polymarket.measure(frames=frames, rounds=rounds, seed=seed)
    write_report(report, polymarket.print_report, as_json=as_json)


@app.command("detector")
def detector_command(
    as_json: AsJson = False,
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of books in one repetition.")] = 200,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each contestant, interleaved.")] = 25,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Pairs priced per second, best prices alone and twenty levels deep, beside naive code, uselayer and oracle3."""
    report = detector.measure(pairs=pairs, repetitions=repetitions, seed=seed)
    for name, why in report["missing"].items():
        errors.print(f"{name}: {why}")
    write_report(report, detector.print_report, as_json=as_json)


@app.command("matcher")
def matcher_command(
    as_json: AsJson = False,
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
    write_report(report, matcher.print_report, as_json=as_json)
