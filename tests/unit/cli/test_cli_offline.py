"""The offline commands: data on stdout, one clear line on stderr for bad input, an exit status that means something."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import msgspec
import pytest

from services.cli import sources
from services.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
SHIPPED_MAPPINGS = ROOT / "mappings"
SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"KXTEST-26NOV22-A",'
    b'"yes_dollars_fp":[["0.4100","120.00"],["0.4200","80.00"]],"no_dollars_fp":[["0.5600","60.00"]]}}\n'
)
DELTA = (
    b'{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"KXTEST-26NOV22-A","price_dollars":"0.4200",'
    b'"delta_fp":"-30.00","side":"yes"}}\n'
)
PAIR: dict[str, Any] = {
    "orientation": "same",
    "kalshi": {
        "yes_bids": [["0.40", "80"]],
        "yes_asks": [["0.42", "60"], ["0.43", "100"]],
        "fee": {"type": "quadratic"},
        "size_step": "1",
        "min_contracts": "1",
    },
    "polymarket": {
        "yes_bids": [["0.50", "90"]],
        "yes_asks": [["0.52", "90"]],
        "fee": {"rate": "0.05"},
        "size_step": "1",
        "min_contracts": "5",
    },
}


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


class Command:
    """Calls ``dutchbook`` inside this process, as its entry point does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Outcome:
        self._monkeypatch.setattr("sys.argv", ["dutchbook", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        written = self._capsys.readouterr()
        return Outcome(int(ended.value.code or 0), written.out, written.err)

    def data(self, *arguments: object) -> Any:
        """Return what a command that works writes as JSON."""
        done = self(*arguments)
        assert (done.status, done.err) == (0, "")
        return msgspec.json.decode(done.out)

    def refusal(self, *arguments: object, status: int) -> str:
        """Return the one line of a command that does not."""
        done = self(*arguments)
        assert (done.status, done.out) == (status, "")
        assert done.err.startswith("dutchbook: ")
        assert done.err.endswith("\n")
        assert done.err.count("\n") == 1
        return done.err


@pytest.fixture
def dutchbook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.delenv("DUTCHBOOK_REDIS_URL", raising=False)
    return Command(monkeypatch, capsys)


def file(folder: Path, content: bytes | object, name: str = "input.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else msgspec.json.encode(content))
    return path


def without(*names: str) -> dict[str, Any]:
    """Return the pair without one field, named by its path."""
    changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(PAIR))
    inner = changed
    for name in names[:-1]:
        inner = inner[name]
    del inner[names[-1]]
    return changed


class TestFee:
    @pytest.mark.parametrize(
        ("arguments", "fee_dollars"),
        [
            (("kalshi", "--price", "0.5", "--contracts", "100"), "1.75"),
            (("kalshi", "--price", "0.52", "--contracts", "1"), "0.0175"),
            (("kalshi", "--price", "0.5", "--contracts", "100", "--multiplier", "0"), "0"),
            (("polymarket", "--price", "0.5", "--contracts", "100", "--rate", "0.05"), "1.25"),
        ],
    )
    def test_a_fee_with_its_formula_and_source(
        self, dutchbook: Command, arguments: tuple[str, ...], fee_dollars: str
    ) -> None:
        report = dutchbook.data("fee", *arguments, "--json")
        assert report["fee_dollars"] == fee_dollars
        assert report["formula"]
        assert report["source"]
        text = dutchbook("fee", *arguments)
        assert text.out.startswith(f"fee      ${fee_dollars}\n")
        assert (text.status, text.err) == (0, "")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("kalshi", "--price", "NaN", "--contracts", "1"), "--price 'NaN': not a plain decimal number"),
            (("kalshi", "--price", "0.5", "--contracts", "1e3"), "--contracts '1e3': not a plain decimal number"),
            (("kalshi", "--price", "0", "--contracts", "1"), "--price 0: expected at least 0.000001 and below 1"),
            (("kalshi", "--price", "1", "--contracts", "1"), "--price 1: expected at least 0.000001 and below 1"),
            (("kalshi", "--price", "0.5", "--contracts", "0"), "--contracts 0: expected at least 0.000001"),
            (("kalshi", "--price", "0.5", "--contracts", "1", "--fee-type", "odd"), "--fee-type 'odd': expected one"),
            (("kalshi", "--price", "0.5", "--contracts", "1", "--fee-type", "flat"), "no published formula"),
            (("kalshi", "--price", "0.5", "--contracts", "1", "--multiplier", "-1"), "--multiplier '-1'"),
            (("polymarket", "--price", "0.5", "--contracts", "1"), "--rate is needed for polymarket"),
            (("kalshi", "--price", "0.5", "--contracts", "1", "--rate", "0.05"), "--rate is for polymarket"),
            (("polymarket", "--price", "0.5", "--contracts", "1", "--rate", "101"), "101 is outside 0 to 100"),
            (
                ("polymarket", "--price", "0.5", "--contracts", "1", "--rate", "0.05", "--exponent", "5"),
                "exponent 5 is not one of 0 to 4",
            ),
        ],
    )
    def test_a_wrong_number_is_one_line_and_2(self, dutchbook: Command, arguments: tuple[str, ...], says: str) -> None:
        assert says in dutchbook.refusal("fee", *arguments, status=2)

    @pytest.mark.parametrize(
        "arguments", [("fee", "mars", "--price", "0.5", "--contracts", "1"), ("fee", "kalshi"), ("nonsense",)]
    )
    def test_wrong_usage_is_explained_on_stderr_and_2(self, dutchbook: Command, arguments: tuple[str, ...]) -> None:
        done = dutchbook(*arguments)
        assert (done.status, done.out) == (2, "")
        assert "Usage: dutchbook" in done.err
        assert "Traceback" not in done.err


class TestEvaluate:
    def test_a_pair_is_priced_in_both_directions(self, dutchbook: Command, tmp_path: Path) -> None:
        """Worked by hand: 60 at 0.42 and 30 at 0.43 on Kalshi, 90 NO at 0.50 on Polymarket, 90 dollars paid."""
        report = dutchbook.data("evaluate", file(tmp_path, PAIR), "--json")
        [one, other] = report["directions"]
        assert report["best"] == one["direction"] == "yes_kalshi_no_polymarket"
        assert (one["contracts"], one["cost_dollars"], one["payout_dollars"]) == ("90", "83.1", "90")
        assert one["fee_dollars"]["polymarket"] == "1.125"
        assert other["contracts"] == "0"

    def test_the_same_in_words(self, dutchbook: Command, tmp_path: Path) -> None:
        done = dutchbook("evaluate", file(tmp_path, PAIR))
        assert (done.status, done.err) == (0, "")
        assert done.out.splitlines()[-1] == "best: yes_kalshi_no_polymarket"

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "the file is not JSON"),
            (b"{", "the file is not JSON"),
            (b"\xff\xfe", "the file is not JSON"),
            (b"[" * 100_000, "the file is not JSON"),
            (b"[]", "the file: [] is not an object"),
            (without("orientation"), "orientation: missing"),
            (without("kalshi", "fee", "type"), "kalshi.fee.type: missing"),
            (PAIR | {"orientation": "upside_down"}, "orientation: 'upside_down' is not one of same, inverted"),
            (PAIR | {"surprise": 1}, "surprise: unknown field"),
            (PAIR | {"limits": {"min_edge_dollars_per_contract": 0.1}}, "0.1 is not decimal text"),
            (PAIR | {"kalshi": PAIR["kalshi"] | {"yes_bids": [["NaN", "1"]]}}, "kalshi.yes_bids[0][0]: 'NaN'"),
            (PAIR | {"kalshi": PAIR["kalshi"] | {"yes_asks": [["1.5", "1"]]}}, "kalshi.yes_asks[0][0]: '1.5'"),
            (PAIR | {"kalshi": PAIR["kalshi"] | {"size_step": "0"}}, "kalshi.size_step: must be above 0"),
        ],
    )
    def test_a_wrong_file_is_one_line_and_2(
        self, dutchbook: Command, tmp_path: Path, content: bytes | object, says: str
    ) -> None:
        path = file(tmp_path, content)
        said = dutchbook.refusal("evaluate", path, "--json", status=2)
        assert str(path) in said
        assert says in said

    def test_a_file_that_is_not_there_is_one_line_and_2(self, dutchbook: Command, tmp_path: Path) -> None:
        said = dutchbook.refusal("evaluate", tmp_path / "gone.json", status=2)
        assert said == f"dutchbook: cannot read {tmp_path / 'gone.json'}: No such file or directory\n"
        said = dutchbook.refusal("evaluate", tmp_path, status=2)
        assert said == f"dutchbook: cannot read {tmp_path}: Is a directory\n"

    def test_an_endless_file_is_read_no_further_than_allowed(self, dutchbook: Command) -> None:
        assert "more than 8388608 bytes" in dutchbook.refusal("evaluate", "/dev/zero", status=2)

    def test_a_pipe_is_read_and_one_without_a_writer_is_refused(
        self, dutchbook: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = Thread(target=pipe.write_bytes, args=(msgspec.json.encode(PAIR),))
        writer.start()
        report = dutchbook.data("evaluate", pipe, "--json")
        writer.join()
        assert report == dutchbook.data("evaluate", file(tmp_path, PAIR), "--json")
        monkeypatch.setattr(sources, "_FIFO_WAIT_S", 0)
        assert "nobody has written to the pipe" in dutchbook.refusal("evaluate", pipe, status=2)

    def test_names_that_would_break_the_line_are_escaped(self, dutchbook: Command, tmp_path: Path) -> None:
        said = dutchbook.refusal("evaluate", tmp_path / "a\nb\x1b[31m", status=2)
        assert said.count("\n") == 1
        assert "a\\nb\\x1b[31m" in said


class TestBooks:
    @pytest.mark.parametrize("packed", [False, True])
    def test_frames_leave_a_book(self, dutchbook: Command, tmp_path: Path, packed: bool) -> None:
        frames = SNAPSHOT + DELTA
        path = file(tmp_path, gzip.compress(frames), "f.jsonl.gz") if packed else file(tmp_path, frames, "f.jsonl")
        result = dutchbook.data("books", "kalshi", path, "--json")
        book = result["books"]["KXTEST-26NOV22-A"]
        assert book["yes_bids"] == [["0.42", "50"], ["0.41", "120"]]
        assert book["yes_asks"] == [["0.44", "60"]]
        assert (result["gaps"], result["refused"]) == (0, {})

    def test_only_the_first_frames(self, dutchbook: Command, tmp_path: Path) -> None:
        path = file(tmp_path, SNAPSHOT + DELTA, "f.jsonl")
        result = dutchbook.data("books", "kalshi", path, "--frames", "1", "--json")
        assert result["books"]["KXTEST-26NOV22-A"]["yes_bids"][0] == ["0.42", "80"]

    def test_books_in_words_show_asks_above_bids(self, dutchbook: Command, tmp_path: Path) -> None:
        done = dutchbook("books", "kalshi", file(tmp_path, SNAPSHOT, "f.jsonl"))
        prices = [line.split()[:2] for line in done.out.splitlines() if line.startswith("  ")]
        assert prices == [["ask", "0.44"], ["bid", "0.42"], ["bid", "0.41"]]

    @pytest.mark.parametrize("venue", ["kalshi", "polymarket"])
    @pytest.mark.parametrize("frame", [b"not json", b"\xff\xfe", b"[" * 50_000, b'{"type":"surprise"}', b"7", b"null"])
    def test_a_frame_that_is_none_is_counted_and_not_fatal(
        self, dutchbook: Command, tmp_path: Path, venue: str, frame: bytes
    ) -> None:
        result = dutchbook.data("books", venue, file(tmp_path, frame + b"\n", "f.jsonl"), "--json")
        assert result["books"] == {}
        assert sum(result["refused"].values()) + sum(result["frames"].values()) == 1

    @pytest.mark.parametrize("venue", ["kalshi", "polymarket"])
    def test_a_file_that_cannot_be_read_is_one_line_and_1(self, dutchbook: Command, tmp_path: Path, venue: str) -> None:
        said = dutchbook.refusal("books", venue, tmp_path / "gone.jsonl", "--json", status=1)
        assert said == f"dutchbook: cannot read {tmp_path / 'gone.jsonl'}: No such file or directory\n"
        spoiled = gzip.compress(b"")[:10] + b"\xff" * 50  # a right head and a block of a type that does not exist
        said = dutchbook.refusal("books", venue, file(tmp_path, spoiled, "f.jsonl.gz"), status=1)
        assert "while decompressing" in said


KALSHI_ROW = {"ticker": "KXTEST-26NOV22-A", "event_ticker": "KXTEST-26NOV22", "title": "Will the bridge in Oslo open?"}
POLYMARKET_ROW = {"conditionId": "0x" + "ab" * 32, "question": "Will the bridge in Oslo open?"}


class TestMatch:
    def rows(self, folder: Path, name: str, *rows: object) -> Path:
        return file(folder, b"".join(msgspec.json.encode(row) + b"\n" for row in rows), name)

    def test_empty_files_have_no_pairs(self, dutchbook: Command, tmp_path: Path) -> None:
        empty = self.rows(tmp_path, "empty.jsonl")
        done = dutchbook("match", "--kalshi", empty, "--polymarket", empty)
        assert done == Outcome(0, "", "")

    def test_look_alikes_are_candidates_on_stdout_or_in_a_file(self, dutchbook: Command, tmp_path: Path) -> None:
        kalshi = self.rows(tmp_path, "k.jsonl", KALSHI_ROW)
        polymarket = self.rows(tmp_path, "p.jsonl", POLYMARKET_ROW)
        row = dutchbook.data("match", "--kalshi", kalshi, "--polymarket", polymarket)
        assert (row["kalshi_ticker"], row["poly_id"]) == (KALSHI_ROW["ticker"], POLYMARKET_ROW["conditionId"])
        assert row["status"] == "candidate"
        out = tmp_path / "out.jsonl"
        assert dutchbook("match", "--kalshi", kalshi, "--polymarket", polymarket, "--out", out) == Outcome(0, "", "")
        assert msgspec.json.decode(out.read_bytes()) == row

    @pytest.mark.parametrize("line", [b"not json", b"[]", b'{"a":1}', b"\xff", b"[" * 50_000, b'{"x":' * 50_000])
    def test_a_line_that_is_no_market_is_named(self, dutchbook: Command, tmp_path: Path, line: bytes) -> None:
        empty = self.rows(tmp_path, "empty.jsonl")
        bad = file(tmp_path, b"\n" + line + b"\n", "bad.jsonl")
        for arguments in (("--kalshi", bad, "--polymarket", empty), ("--kalshi", empty, "--polymarket", bad)):
            assert f"{bad}:2: " in dutchbook.refusal("match", *arguments, status=1)

    def test_files_and_folders_that_are_not_there(self, dutchbook: Command, tmp_path: Path) -> None:
        empty, gone = self.rows(tmp_path, "empty.jsonl"), tmp_path / "gone"
        plain = ("--kalshi", empty, "--polymarket", empty)
        no_file = dutchbook.refusal("match", "--kalshi", gone, "--polymarket", empty, status=1)
        assert f"{gone}: No such file or directory" in no_file
        assert "No such file" in dutchbook.refusal("match", *plain, "--out", gone / "out.jsonl", status=1)
        assert f"{gone}:1: no such folder" in dutchbook.refusal("match", *plain, "--mappings", gone, status=2)


class TestPairs:
    def test_the_shipped_mappings_are_clean(self, dutchbook: Command) -> None:
        assert dutchbook("pairs", "lint", SHIPPED_MAPPINGS) == Outcome(0, "", "")
        assert dutchbook.data("pairs", "lint", SHIPPED_MAPPINGS, "--json") == {"problems": [], "notices": []}

    def test_a_problem_is_data_with_file_and_line_and_1(self, dutchbook: Command, tmp_path: Path) -> None:
        (tmp_path / "pairs").mkdir()
        bad = file(tmp_path / "pairs", b'schema_version: "1"\nschema_version: "1"\n', "bad.yaml")
        done = dutchbook("pairs", "lint", tmp_path)
        assert (done.status, done.err) == (1, "")
        assert any(line.startswith(f"{bad}:2: ") for line in done.out.splitlines())
        as_json = dutchbook("pairs", "lint", tmp_path, "--json")
        assert as_json.status == 1
        assert (str(bad), 2) in [(one["file"], one["line"]) for one in msgspec.json.decode(as_json.out)["problems"]]

    def test_a_folder_that_is_not_there_is_one_line_and_2(self, dutchbook: Command, tmp_path: Path) -> None:
        assert "is not a folder of mappings" in dutchbook.refusal("pairs", "lint", tmp_path / "gone", status=2)

    def test_a_list_needs_a_redis(self, dutchbook: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert dutchbook.refusal("pairs", "list", status=2) == "dutchbook: DUTCHBOOK_REDIS_URL is not set\n"
        gone = f"unix://{tmp_path}/gone.sock"
        for url, status in (("no-url", 2), ("redis://:hunter2@127.0.0.1:port", 2), (gone, 1)):
            monkeypatch.setenv("DUTCHBOOK_REDIS_URL", url)
            said = dutchbook.refusal("pairs", "list", status=status)
            assert "DUTCHBOOK_REDIS_URL" in said
            assert "hunter2" not in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [("fee", "kalshi", "--price", "0.5", "--contracts", "1"), ("pairs", "lint", "--json")]
)
class TestStdout:
    """Real processes, for the interpreter writes what is left in its buffer after the command is over."""

    def ended(self, arguments: tuple[str, ...], stdout: int, unbuffered: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    def test_a_reader_that_left_is_no_reason_to_complain(self, arguments: tuple[str, ...], unbuffered: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            assert self.ended(arguments, writing, unbuffered) == (1, "")
        finally:
            os.close(writing)

    def test_a_full_disk_is_one_line_and_1(self, arguments: tuple[str, ...], unbuffered: str) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("needs /dev/full, which this system does not have")
        with Path("/dev/full").open("wb") as full:
            status, said = self.ended(arguments, full.fileno(), unbuffered)
        assert (status, said) == (1, "dutchbook: cannot write to stdout: No space left on device\n")


def test_matches_for_a_reader_that_left_end_quietly(tmp_path: Path) -> None:
    kalshi, polymarket = file(tmp_path, KALSHI_ROW, "k.jsonl"), file(tmp_path, POLYMARKET_ROW, "p.jsonl")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "match", "--kalshi", kalshi, "--polymarket", polymarket],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_service_that_does_not_exist_is_one_line_and_2(dutchbook: Command) -> None:
    assert "there is no service 'nothing'; choose one of: " in dutchbook.refusal("run", "nothing", status=2)
