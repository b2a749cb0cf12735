"""``dutchbook fee polymarket`` against what takers were charged on chain (fills recorded by nautilus_trader)."""

import json
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from services.cli.main import app

CHARGED = (
    ("7.575758", "0.66", "0.05", "0.08500"),
    ("7.042251", "0.71", "0.05", "0.07249"),
    ("21.126758", "0.71", "0.05", "0.21749"),
    ("1.219511", "0.82", "0.07", "0.01259"),
    ("2.083334", "0.48", "0.07", "0.03640"),
    ("7.57", "0.65", "0.05", "0.08610"),
    ("7.59", "0.66", "0.05", "0.08515"),
    ("5", "0.31", "0.05", "0.05347"),
    ("5", "0.67", "0.05", "0.05527"),
    ("5", "0.27", "0.05", "0.04927"),
    ("7.04", "0.70", "0.05", "0.07392"),
    ("21.13", "0.70", "0.05", "0.22186"),
    ("8.928572", "0.56", "0.05", "0.11000"),
    ("8.92", "0.55", "0.05", "0.11038"),
    ("5.14931", "0.971", "0.07", "0.01014"),
    ("5.14", "0.965", "0.07", "0.01215"),
    ("9.321429", "0.56", "0.05", "0.11484"),
    ("9.33", "0.55", "0.05", "0.11545"),
    ("8.93", "0.55", "0.05", "0.11050"),
)
CONSTRUCTED = (
    ("100", "0.42", "0.04", "0.97440"),
    ("100", "0.50", "0.07", "1.75000"),
    ("5", "0.97", "0.05", "0.00727"),
)


@pytest.mark.parametrize(("shares", "price", "rate", "charged"), CHARGED + CONSTRUCTED)
def test_the_command_prints_the_fee_that_was_charged(shares: str, price: str, rate: str, charged: str) -> None:
    options = ["--price", price, "--contracts", shares, "--rate", rate, "--json"]
    result = CliRunner().invoke(app, ["fee", "polymarket", *options])
    assert result.exit_code == 0, result.output
    assert Decimal(json.loads(result.stdout)["fee_dollars"]) == Decimal(charged)


def test_there_are_nineteen_recorded_fills() -> None:
    assert len(CHARGED) == 19
