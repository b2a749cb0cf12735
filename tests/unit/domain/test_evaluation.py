"""The file that ``evaluate`` prices: what comes out, and how each mistake is named."""

import copy
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.domain.evaluation import BasketReport, EvaluationRefused, EvaluationReport, evaluate_file

EXAMPLE: dict[str, Any] = {
    "orientation": "same",
    "kalshi": {
        "yes_bids": [["0.38", "100.00"]],
        "yes_asks": [["0.42", "50"], ["0.41", "100.00"]],
        "fee": {"type": "quadratic", "multiplier": "1", "precision": "0.0001"},
        "size_step": "0.01",
        "min_contracts": "0.01",
    },
    "polymarket": {
        "yes_bids": [["0.47", "80"], ["0.46", "200"]],
        "yes_asks": [["0.49", "10"]],
        "fee": {"rate": "0.05", "exponent": "1"},
        "size_step": "0.01",
        "min_contracts": "5",
        "min_notional_dollars": "1",
    },
    "limits": {
        "min_edge_dollars_per_contract": "0",
        "max_capital_dollars": {"kalshi": None, "polymarket": None},
    },
    "days_to_payout": "30",
}


def changed(path: str, value: object) -> bytes:
    """Return the example with one field set, as JSON."""
    example = copy.deepcopy(EXAMPLE)
    *parents, last = path.split(".")
    inside = example
    for name in parents:
        inside = inside[name]
    inside[last] = value
    return msgspec.json.encode(example)


def test_the_example_is_priced_as_worked_by_hand() -> None:
    report = msgspec.json.decode(msgspec.json.encode(evaluate_file(msgspec.json.encode(EXAMPLE))))
    assert report["best"] == "yes_kalshi_no_polymarket"
    assert report["directions"][0] == {
        "direction": "yes_kalshi_no_polymarket",
        "contracts": "150",
        "cost_dollars": "142.2",
        "fee_dollars": {"kalshi": "2.5459", "polymarket": "1.8658"},
        "payout_dollars": "150",
        "edge_dollars": "3.3883",
        "capital_dollars": {"kalshi": "64.5459", "polymarket": "82.0658"},
        "annualised_return": "0.28118",
        "fills": {
            "kalshi": [["0.41", "100", "1.6933"], ["0.42", "50", "0.8526"]],
            "polymarket": [["0.53", "80", "0.9964"], ["0.54", "70", "0.8694"]],
        },
        "limit_price_dollars": {"kalshi": "0.42", "polymarket": "0.54"},
    }
    nothing = report["directions"][1]
    assert (nothing["contracts"], nothing["edge_dollars"], nothing["annualised_return"]) == ("0", "0", None)


def test_the_files_of_the_documentation_are_priced() -> None:
    page = (Path(__file__).parents[3] / "docs/economics.md").read_bytes()
    pair, basket = (evaluate_file(block) for block in re.findall(rb"```json\n(.*?)```", page, re.DOTALL))
    assert isinstance(pair, EvaluationReport)
    assert isinstance(basket, BasketReport)
    assert (pair.best, pair.directions[0].edge_dollars) == ("yes_kalshi_no_polymarket", "3.3883")
    assert (basket.basket, basket.edge_dollars) == ("every_no", "0.1727")  # 10 - 6.0 - 0.168 - 3.5 - 0.1593


def test_without_an_edge_there_is_no_best_direction() -> None:
    report = evaluate_file(changed("polymarket.yes_bids", []))
    assert report.best is None
    assert [direction.contracts for direction in report.directions] == ["0", "0"]


def test_an_inverted_pair_reads_polymarket_the_other_way_round() -> None:
    example = copy.deepcopy(EXAMPLE)
    example["orientation"] = "inverted"
    example["polymarket"]["yes_bids"] = [["0.51", "10"]]
    example["polymarket"]["yes_asks"] = [["0.53", "80"], ["0.54", "200"]]
    report = evaluate_file(msgspec.json.encode(example))
    assert report.directions[0].edge_dollars == "3.3883"


def test_limits_and_days_may_be_left_out() -> None:
    example = copy.deepcopy(EXAMPLE)
    del example["limits"], example["days_to_payout"], example["polymarket"]["min_notional_dollars"]
    report = evaluate_file(msgspec.json.encode(example))
    assert report.directions[0].edge_dollars == "3.3883"
    assert report.directions[0].annualised_return is None


def test_haircut_and_hurdle_are_reported_only_when_asked_for() -> None:
    limits = {"void_haircut_dollars_per_contract": "0.01", "hurdle_rate": "0.28", "max_contracts": "100"}
    found = msgspec.json.decode(msgspec.json.encode(evaluate_file(changed("limits", limits))))
    first, nothing = found["directions"]
    assert (first["contracts"], first["haircut_dollars"], first["clears_hurdle"]) == ("100", "1", False)
    assert found["best"] is None, "less than the hurdle rate"
    assert (nothing["haircut_dollars"], nothing["clears_hurdle"]) == ("0", True)
    plain = msgspec.json.decode(msgspec.json.encode(evaluate_file(msgspec.json.encode(EXAMPLE))))
    assert not {"haircut_dollars", "clears_hurdle"} & plain["directions"][0].keys()


def test_a_capital_limit_is_respected() -> None:
    report = evaluate_file(changed("limits.max_capital_dollars", {"kalshi": "10", "polymarket": None}))
    assert report.directions[0].capital_dollars.kalshi == "9.9988"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("orientation", "sideways", "orientation: 'sideways' is not one of same, inverted"),
        ("orientation", ["same"], "orientation: .* is not one of"),
        ("colour", "red", "colour: unknown field"),
        ("kalshi", None, "kalshi: None is not an object"),
        ("kalshi.yes_bids", "0.38", "kalshi.yes_bids: '0.38' is not a list"),
        ("kalshi.yes_bids", [["0.38"]], r"kalshi.yes_bids\[0\]: \['0.38'\] is not \[price, contracts\]"),
        ("kalshi.yes_asks", [["0.41", "1"], ["NaN", "1"]], r"kalshi.yes_asks\[1\]\[0\]: 'NaN': not a plain"),
        ("kalshi.yes_asks", [[0.41, "1"]], r"kalshi.yes_asks\[0\]\[0\]: 0.41 is not decimal text"),
        ("kalshi.yes_asks", [["1", "1"]], r"kalshi.yes_asks\[0\]\[0\]: '1': outside"),
        ("kalshi.yes_asks", [["0.00001", "1"]], r"kalshi.yes_asks\[0\]\[0\]: '0.00001': finer"),
        ("kalshi.yes_asks", [["0.41", "-1"]], r"kalshi.yes_asks\[0\]\[1\]: '-1': not a plain"),
        ("kalshi.yes_asks", [["0.41", "1"], ["0.410", "2"]], r"kalshi.yes_asks\[1\]\[0\]: price '0.410' comes twice"),
        ("kalshi.fee.type", "square", "kalshi.fee.type: 'square' is not one of quadratic"),
        ("kalshi.fee.type", "flat", "'flat' has no published formula"),
        ("kalshi.fee.multiplier", None, "kalshi.fee.multiplier: None is not decimal text"),
        ("kalshi.fee.precision", "0.5", "precision 0.5 is neither"),
        ("kalshi.size_step", "0", "kalshi.size_step: must be above 0"),
        ("polymarket.fee", {"exponent": "1"}, "polymarket.fee.rate: missing"),
        ("polymarket.fee.exponent", "1.5", "polymarket.fee.exponent: 1.5 is not a whole number"),
        ("polymarket.fee.exponent", "9", "exponent 9 is not one of 0 to 4"),
        ("limits.max_capital_dollars", {"kalshi": "1e3"}, "limits.max_capital_dollars.kalshi: '1e3'"),
        ("limits.hurdle_rate", "-1", "limits.hurdle_rate: '-1': not a plain"),
        ("limits.void_haircut_dollars_per_contract", "1", "limits.void_haircut_dollars_per_contract: must be below 1"),
        ("polymarket.fee", {"rate": "50", "exponent": "2"}, "fee rate 50.* makes a dearer contract cost less"),
        ("days_to_payout", 30, "days_to_payout: 30 is not decimal text"),
    ],
)
def test_a_mistake_is_refused_by_the_path_of_its_field(path: str, value: object, said: str) -> None:
    with pytest.raises(EvaluationRefused, match=said):
        evaluate_file(changed(path, value))


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "x" * 100_000])
def test_the_name_of_an_unknown_field_is_shown_in_one_short_line(name: str) -> None:
    with pytest.raises(EvaluationRefused, match="unknown field") as refused:
        evaluate_file(msgspec.json.encode({**EXAMPLE, name: 1}))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


def test_a_field_that_comes_twice_is_refused_and_never_overwritten() -> None:
    said = msgspec.json.encode(EXAMPLE).decode()
    for at_the_end in (
        f'{said[:-1]},"orientation":"inverted"}}',
        said.replace('"rate":', '"rate":"0.01","r\\u0061te":'),
    ):
        with pytest.raises(EvaluationRefused, match=r"field '(orientation|rate)' comes twice in one object"):
            evaluate_file(at_the_end.encode())


@pytest.mark.parametrize("container", ["[]", "{}"])
def test_a_value_of_any_depth_is_refused_in_one_line(container: str) -> None:
    """However many frames are left when it is found: just below the decoder's own limit, at it and above it."""
    opening = '{"a":' if container == "{}" else "["
    for depth in range(800, 1_000):
        value = opening * depth + "1" + container[1] * depth
        with pytest.raises(EvaluationRefused):
            evaluate_file(f'{{"orientation":{value}}}'.encode())


def test_a_fee_without_a_curve_is_a_flat_rate_per_share() -> None:
    """Exponent 0: 150 shares at 0.02 each, of 150 * (1 - 0.42) and 150 * (1 - 0.47) before."""
    report = evaluate_file(changed("polymarket.fee", {"rate": "0.02", "exponent": "0"}))
    assert isinstance(report, EvaluationReport)
    assert (report.directions[0].contracts, report.directions[0].fee_dollars.polymarket) == ("150", "3")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("limits.min_edge_dollars_per_contract", "0.0000005"),
        ("limits.max_capital_dollars", {"kalshi": "10.00000000001"}),
        ("polymarket.fee.rate", "0.0512345678"),
        ("days_to_payout", "0.04166666666667"),
    ],
)
def test_rates_and_limits_may_be_finer_than_sizes(path: str, value: object) -> None:
    assert isinstance(evaluate_file(changed(path, value)), EvaluationReport)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf{}", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b"{} {}", b'{"a": NaN}']
)
def test_what_is_no_json_object_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(EvaluationRefused) as refused:
        evaluate_file(data)
    assert "\n" not in str(refused.value)


def test_a_truncated_file_never_does_anything_but_be_refused() -> None:
    whole = msgspec.json.encode(EXAMPLE)
    for length in range(len(whole)):
        with pytest.raises(EvaluationRefused):
            evaluate_file(whole[:length])


def test_a_missing_field_is_named() -> None:
    for path in ("orientation", "kalshi.yes_asks", "polymarket.size_step", "kalshi.min_contracts", "kalshi.fee"):
        example = copy.deepcopy(EXAMPLE)
        *parents, last = path.split(".")
        inside = example
        for name in parents:
            inside = inside[name]
        del inside[last]
        with pytest.raises(EvaluationRefused, match=f"{path}: missing"):
            evaluate_file(msgspec.json.encode(example))
