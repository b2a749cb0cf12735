"""``dutchbook fee polymarket`` against what takers were charged on chain (fills recorded by nautilus_trader)."""

import json
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from services.cli.main import app

CHARGED = """
| Side | Shares | Price | Rate | Raw | Charged |
|---|---|---|---|---|---|
| BUY | 7.575758 | 0.66 | 0.05 | 0.085000004760 | 0.08500 |
| BUY | 7.042251 | 0.71 | 0.05 | 0.072499974045 | 0.07249 |
| BUY | 21.126758 | 0.71 | 0.05 | 0.217499973610 | 0.21749 |
| BUY | 1.219511 | 0.82 | 0.07 | 0.012599987652 | 0.01259 |
| BUY | 2.083334 | 0.48 | 0.07 | 0.036400011648 | 0.03640 |
| SELL | 7.57 | 0.65 | 0.05 | 0.08610875 | 0.08610 |
| SELL | 7.59 | 0.66 | 0.05 | 0.08515980 | 0.08515 |
| SELL | 5 | 0.31 | 0.05 | 0.053475 | 0.05347 |
| SELL | 5 | 0.67 | 0.05 | 0.055275 | 0.05527 |
| SELL | 5 | 0.27 | 0.05 | 0.049275 | 0.04927 |
| SELL | 7.04 | 0.70 | 0.05 | 0.07392000 | 0.07392 |
| SELL | 21.13 | 0.70 | 0.05 | 0.22186500 | 0.22186 |
| BUY | 8.928572 | 0.56 | 0.05 | 0.110000007040 | 0.11000 |
| SELL | 8.92 | 0.55 | 0.05 | 0.11038500 | 0.11038 |
| BUY | 5.14931 | 0.971 | 0.07 | 0.0101499594203 | 0.01014 |
| SELL | 5.14 | 0.965 | 0.07 | 0.0121522450 | 0.01215 |
| BUY | 9.321429 | 0.56 | 0.05 | 0.114840005280 | 0.11484 |
| SELL | 9.33 | 0.55 | 0.05 | 0.11545875 | 0.11545 |
| SELL | 8.93 | 0.55 | 0.05 | 0.11050875 | 0.11050 |
"""
CONSTRUCTED = """
| BUY | 100 | 0.42 | 0.04 | 0.97440 | 0.97440 |
| BUY | 100 | 0.50 | 0.07 | 1.75000 | 1.75000 |
| BUY | 5 | 0.97 | 0.05 | 0.007275 | 0.00727 |
"""


def rows(table: str) -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    return [row for row in cells if row[0] in ("BUY", "SELL")]


@pytest.mark.parametrize("row", rows(CHARGED) + rows(CONSTRUCTED), ids=" ".join)
def test_the_command_prints_the_fee_that_was_charged(row: list[str]) -> None:
    """Buyers and sellers pay by the same formula."""
    _, shares, price, rate, raw, charged = row
    options = ["--price", price, "--contracts", shares, "--rate", rate, "--json"]
    result = CliRunner().invoke(app, ["fee", "polymarket", *options])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert Decimal(printed["raw_dollars"]) == Decimal(raw)
    assert Decimal(printed["fee_dollars"]) == Decimal(charged)


def test_there_are_nineteen_recorded_fills() -> None:
    assert len(rows(CHARGED)) == 19
