"""What ``dutchbook bench polymarket`` measures: real sessions on frames that leave nothing refused or unproved."""

import json

from typer.testing import CliRunner

from services.cli.main import app


def test_one_small_run_measures_all_readers_on_the_same_frames() -> None:
    result = CliRunner().invoke(app, ["bench", "polymarket", "--json", "--frames", "1000", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert set(figures) | set(report["missing"]) == {"naive", "dutchbook", "dutchbook with every hash", "polyws"}
    assert report["frames"] >= 1_000
    assert 0 < figures["dutchbook with every hash"]["best_prices"] <= figures["naive"]["best_prices"]


def test_people_get_one_line_per_reader() -> None:
    result = CliRunner().invoke(app, ["bench", "polymarket", "--frames", "1000", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    assert "naive" in result.stdout
