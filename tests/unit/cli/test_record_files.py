"""A recording holds every frame to the byte, and a file has its name only when it is whole."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.cli.record import record, record_command
from services.cli.record.raw_file import Folder
from shared.domain.market import Venue
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.venues.kalshi import replay as kalshi
from shared.venues.polymarket import replay as polymarket
from shared.venues.raw_lines import RECEIVED, SENT, RawLine, line_of, read_line
from tests.unit.kalshi.frames import A, delta, encoded, snapshot, subscribed

AT_NS = 1_795_284_000_000_000_123

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"PONG")
@example(b'"PONG"')
@example(b"")
@example(b"{}")
@example(b'{"a": 1}\n')
@example(b'{\n"a":1}')
@example(b'[1,{"msg":"x"}]')
@example(b'{"dir":"in","msg":1}')
@example(b'{"a":1}{"b":2}')
@example(b'{"a":1},"base64":"AAAA","x":{}')
@example(b"\xff\xfe")
@example(b"{\xff}")
@example(b"[" * 10_000)
def test_every_frame_comes_back_to_the_byte_on_one_line(frame: bytes) -> None:
    line = line_of(RECEIVED, AT_NS, frame)
    assert line.count(b"\n") == 1
    assert read_line(line) == RawLine(RECEIVED, frame)


def test_a_line_reads_like_a_transcript_and_says_when_to_the_nanosecond() -> None:
    line = line_of(SENT, AT_NS, b'{"id":1,"cmd":"subscribe"}')
    assert line == b'{"dir":"out","t":1795284000.000000123,"msg":{"id":1,"cmd":"subscribe"}}\n'
    assert json.loads(line_of(RECEIVED, 5, b"PONG")) == {"dir": "in", "t": 5e-09, "msg": "PONG"}


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"subscribed","msg":{}}',
        b'{"dir":"in","t":1}',
        b'{"dir":7,"msg":{}}',
        b'{"dir":"in","msg":',
        b'{"dir":"in","base64":"%%%"}',
        b'[{"dir":"in"}]',
        b"",
    ],
)
def test_a_line_that_is_none_of_a_recording_is_a_frame(line: bytes) -> None:
    assert read_line(line + b"\r\n") == RawLine(RECEIVED, line)


def test_other_peoples_transcripts_are_read_whatever_the_order_of_keys() -> None:
    assert read_line(b'{"t": 1.5, "msg": {"a": 1}, "dir": "out", "note": "x"}') == RawLine(SENT, b'{"a": 1}')


def kalshi_file(folder: Path, *, compress: bool) -> Path:
    recording = Folder(folder)
    file = recording.open("kalshi", AT_NS)
    file.noted("open", AT_NS, {"url": "wss://x", "markets": [A]})
    file.sent(AT_NS, '{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"use_yes_price":true}}')
    file.received(AT_NS, subscribed())
    file.received(AT_NS, snapshot(1, yes=[("0.4700", "3.00")], no=[("0.5100", "4.00")]))
    file.noted("rest", AT_NS, {"path": "/markets", "status": 200, "body": '{"markets":[]}'})
    file.received(AT_NS, delta(2, side="no", price="0.5200"))
    file.noted("close", AT_NS, {"reason": "stopped"})
    assert [path.name for path in folder.iterdir()] == ["kalshi-20261121T180000Z-0001.jsonl.part"]
    recording.finish(file, compress=compress)
    [recorded] = recording.recorded
    assert recorded.frames == 3
    return Path(recorded.path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_finished_file_has_its_name_alone_and_replays(tmp_path: Path, compress: bool) -> None:
    path = kalshi_file(tmp_path / "new" / "folder", compress=compress)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert path.suffix == (".gz" if compress else ".jsonl")
    text = gzip.decompress(path.read_bytes()) if compress else path.read_bytes()
    result = kalshi.replay(text.splitlines(keepends=True))
    book = result.books[A]
    assert (book.yes_bids, book.yes_asks) == ([("0.47", "3")], [("0.51", "4"), ("0.52", "1")])
    assert result.frames == {"orderbook_delta": 1, "subscribed": 1, "orderbook_snapshot": 1}
    assert (result.refused, result.lost) == ({}, ())


def test_a_text_heartbeat_is_replayed_as_what_it_was() -> None:
    lines = [line_of(RECEIVED, AT_NS, frame) for frame in (b"PONG", b"[]")]
    result = polymarket.replay([line_of("open", AT_NS, encoded({"x": 1})), *lines, line_of(SENT, AT_NS, b"PING")])
    assert result.frames == {"PONG": 1, "[]": 1}


def test_connections_number_their_files(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for _ in range(2):
        folder.finish(folder.open("kalshi", AT_NS), compress=False)
    assert [Path(file.path).name[-10:] for file in folder.recorded] == ["0001.jsonl", "0002.jsonl"]


def test_a_file_of_that_name_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kalshi-20261121T180000Z-0001.jsonl.part").write_text("precious")
    with pytest.raises(StartRefused, match=r"cannot write .*0001\.jsonl\.part: File exists"):
        Folder(tmp_path).open("kalshi", AT_NS)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match=r"cannot write .*file: File exists"):
        Folder(tmp_path / "file")


class FullDisk:
    """Stands for a file on a disk without room."""

    def write(self, data: bytes) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_refused_by_name(tmp_path: Path) -> None:
    file = Folder(tmp_path).open("kalshi", AT_NS)
    file._file.close()
    file._file = FullDisk()
    with pytest.raises(StartRefused, match=r"cannot write .*part: No space left on device"):
        file.received(AT_NS, b"x")


@pytest.mark.parametrize(
    ("venue", "markets", "raw", "says"),
    [(Venue.KALSHI, "A", False, "say --raw"), (Venue.POLYMARKET, " , ", True, "--markets names no market")],
)
def test_what_is_not_said_is_refused(venue: Venue, markets: str, raw: bool, says: str) -> None:
    with pytest.raises(SettingsRefused, match=says):
        record_command(venue, markets, raw=raw)


async def test_channels_are_public_ones_of_kalshi(tmp_path: Path) -> None:
    async def refused(venue: Venue, channel: str) -> str:
        with pytest.raises(SettingsRefused) as told:
            await record(
                venue,
                ["A"],
                tmp_path,
                channels=[channel],
                duration_s=1,
                rotate_bytes=1,
                rotate_s=1,
                compress=False,
                environ={},
            )
        return str(told.value)

    assert await refused(Venue.KALSHI, "fill") == "--channels fill: expected some of ticker, trade"
    assert await refused(Venue.POLYMARKET, "trade") == (
        "--channels is for kalshi: Polymarket's market channel carries everything"
    )


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "set KALSHI_DEMO_KEY_ID and KALSHI_DEMO_KEY_FILE"),
        ({"KALSHI_ENV": "prod"}, "set KALSHI_PROD_KEY_ID and KALSHI_PROD_KEY_FILE"),
        ({"KALSHI_WS_URL": "wss://example.com/x"}, "KALSHI_WS_URL"),
    ],
)
async def test_kalshi_needs_a_key_and_its_own_host(tmp_path: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsRefused, match=says):
        await record(
            Venue.KALSHI,
            ["A"],
            tmp_path,
            duration_s=1,
            rotate_bytes=1,
            rotate_s=1,
            compress=False,
            environ=environ,
        )
