"""Everything in ``mappings/``: read strictly, checked across files, and handed on as one value.

``load`` refuses the whole folder for any problem and ``lint`` lists them all; the service keeps the last good value
when a later version is refused.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.matcher.basket_rows import FILE as BASKETS
from services.matcher.basket_rows import BasketRow, BasketsFile, repeated
from services.matcher.disagreements import FOLDER as DISAGREEMENTS
from services.matcher.disagreements import Disagreement, DisagreementsFile, file_name
from services.matcher.grammar import Grammar
from services.matcher.mapping_rows import CuratedRow, PairsFile
from services.matcher.teams import League, TeamsFile
from services.matcher.templates import SeriesTemplate, TemplatesFile, filled_in
from shared.domain.market import MarketId
from shared.domain.pair import PairId
from shared.io.fees_file import FeesFile
from shared.io.yaml_strict import LARGEST_BYTES, Document, YamlRefused, convert, parse
from shared.runtime.errors import SettingsRefused

T = TypeVar("T")

Fingerprint = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of change of the files of a folder."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a mapping file."""

    file: str
    line: int
    what: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A curated row and where it stands."""

    row: CuratedRow
    file: str
    line: int

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.file).name


@dataclass(frozen=True, slots=True)
class _RowsOfFile:
    """The rows of a file as it was, kept so that a change of one file does not have all of them read again."""

    digest: bytes
    placed: tuple[PlacedRow, ...]


@dataclass(frozen=True, slots=True)
class Mappings:
    """What people have decided; the default is nothing."""

    rows: Mapping[PairId, PlacedRow] = field(default_factory=dict)
    templates: tuple[SeriesTemplate, ...] = ()
    leagues: Mapping[str, League] = field(default_factory=dict)
    fees: FeesFile | None = None
    disagreements: tuple[Disagreement, ...] = ()
    """Approved pairs that settled differently, each suspending its series until somebody has understood it."""
    tables: str = ""
    """A digest of the files by which listings are read: aliases and templates."""
    baskets: tuple[BasketRow, ...] = ()
    """The events whose baskets are switched on."""
    read: Mapping[str, _RowsOfFile] = field(default_factory=dict, compare=False, repr=False)
    """The files of rows by name."""

    grammar: Grammar = field(init=False, compare=False, repr=False)
    """The templates, ready to read listings."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "grammar", Grammar(self.templates, self.leagues))

    def reads_alike(self, other: "Mappings") -> bool:
        """Return whether a listing reads the same under both, so that what was read of it can be kept."""
        same_tables = self.tables == other.tables if self.tables else self.leagues == other.leagues
        return same_tables and self.templates == other.templates

    @property
    def decided(self) -> Mapping[tuple[MarketId, MarketId], CuratedRow]:
        """The market pairs that some row speaks about, whatever it says: nobody is asked about them again."""
        return {placed.row.key: placed.row for placed in self.rows.values()}

    def switched_on(self, series: Iterable[str]) -> "Mappings":
        """Return the same with the templates of these Kalshi series enabled.

        Raises SettingsRefused when a series has no template.
        """
        wanted = frozenset(series)
        if unknown := wanted - {template.kalshi_series for template in self.templates}:
            raise SettingsRefused(f"MATCHER_TEMPLATES_ON: no template for series {', '.join(sorted(unknown))}")
        templates = tuple(
            msgspec.structs.replace(template, enabled=template.enabled or template.kalshi_series in wanted)
            for template in self.templates
        )
        return replace(self, templates=templates)


class MappingsRefused(SettingsRefused):
    """A folder of mappings cannot be used; the message is the first problem, as ``file:line: what, what to do``."""

    def __init__(self, problems: list[Problem]) -> None:
        more = f" (and {len(problems) - 1} more, see `dutchbook pairs lint`)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


def load(folder: Path, *, previous: Mappings | None = None) -> Mappings:
    """Read a folder; raises MappingsRefused when anything is wrong with it.

    ``previous`` is what was in force: a row whose orientation differs from it needs a newer review, and of its files of
    rows those that are still the same are not read again.
    """
    mappings, problems = _read_folder(folder, previous)
    if problems:
        raise MappingsRefused(problems)
    return mappings


def lint(folder: Path) -> list[Problem]:
    """Return everything that is wrong with a folder of mappings, in the order of files and lines."""
    return _read_folder(folder, None)[1]


def fingerprint(folder: Path) -> Fingerprint:
    """Return what changes when a mapping file is added, edited or removed."""
    found = []
    for path in _yaml_files(folder):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)


def _read_folder(folder: Path, previous: Mappings | None) -> tuple[Mappings, list[Problem]]:
    if not folder.is_dir():
        return Mappings(), [
            Problem(str(folder), 1, "no such folder, set MATCHER_MAPPINGS_DIR or name the folder of mappings")
        ]
    reader = _Reader()
    read = reader.rows(folder, {} if previous is None else previous.read)
    placed = [placed for rows in read.values() for placed in rows.placed]
    leagues: dict[str, League] = {}
    for document, table in reader.all(folder, "aliases", TeamsFile):
        if table.league in leagues:
            reader.add(document.file, 1, f"league {table.league} has a table already, keep one file per league")
        leagues[table.league] = League(table)
    templates = _templates(reader, folder, leagues)
    fees = next((file for _, file in reader.some([folder / "fees.yaml"], FeesFile)), None)
    disagreements = tuple(file.disagreement for _, file in reader.all(folder, DISAGREEMENTS, DisagreementsFile))
    baskets = _baskets(reader, folder)
    for file, line, what in row_conflicts(placed, previous):
        reader.add(file, line, what)
    rows = {placed_row.row.id: placed_row for placed_row in placed}
    tables = reader.digest_of(folder, "aliases", "templates")
    mappings = Mappings(rows, tuple(templates), leagues, fees, disagreements, tables=tables, baskets=baskets, read=read)
    return mappings, sorted(reader.problems, key=lambda problem: (problem.file, problem.line))


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._contents: dict[Path, bytes] = {}

    def digest_of(self, folder: Path, *parts: str) -> str:
        """Return a digest of every file of these parts that was read."""
        digest = sha256()
        for path in sorted(
            path for path in self._contents if path.parent.name in parts and path.parent.parent == folder
        ):
            digest.update(f"{path.name}\n{len(self._contents[path])}\n".encode() + self._contents[path])
        return digest.hexdigest()

    def add(self, file: str, line: int, what: str) -> None:
        self.problems.append(Problem(file, line, what))

    def rows(self, folder: Path, known: Mapping[str, _RowsOfFile]) -> dict[str, _RowsOfFile]:
        """Return the rows of every readable file of pairs by its name; those that are as ``known`` are not read."""
        found: dict[str, _RowsOfFile] = {}
        for path in _files_of(folder, "pairs"):
            if (content := self._content(path)) is None:
                continue
            digest = sha256(content).digest()
            before = known.get(str(path))
            if before is not None and before.digest == digest:
                found[str(path)] = before
            elif (read := self._read(path, content, PairsFile)) is not None:
                document, file = read
                placed = (
                    PlacedRow(row, document.file, document.line(f"$.pairs[{index}]"))
                    for index, row in enumerate(file.pairs or ())
                )
                found[str(path)] = _RowsOfFile(digest, tuple(placed))
        return found

    def all(
        self, folder: Path, part: str, kind: type[T], *, prepared: Callable[[Any], Any] = lambda written: written
    ) -> Iterator[tuple[Document, T]]:
        """Yield every readable file of a part; unreadable ones become problems.

        ``prepared`` is given what was parsed and returns what is to be read.
        """
        yield from self.some(_files_of(folder, part), kind, prepared=prepared)

    def some(
        self, paths: Iterable[Path], kind: type[T], *, prepared: Callable[[Any], Any] = lambda written: written
    ) -> Iterator[tuple[Document, T]]:
        for path in paths:
            content = self._content(path)
            if content is not None and (read := self._read(path, content, kind, prepared)) is not None:
                self._contents[path] = content
                yield read

    def _content(self, path: Path) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(LARGEST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.add(str(path), 1, f"cannot be read ({error.strerror}), check the file's permissions")
            return None

    def _read(
        self, path: Path, content: bytes, kind: type[T], prepared: Callable[[Any], Any] = lambda written: written
    ) -> tuple[Document, T] | None:
        try:
            parsed = parse(str(path), content)
            document = replace(parsed, value=prepared(parsed.value))
            return document, convert(document, kind)
        except YamlRefused as refused:
            self.add(refused.file, refused.line, refused.what)
            return None


def _files_of(folder: Path, part: str) -> list[Path]:
    return sorted((folder / part).glob("*.y*ml"))


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.y*ml"))


def _templates(reader: _Reader, folder: Path, leagues: Mapping[str, League]) -> list[SeriesTemplate]:
    templates: list[SeriesTemplate] = []
    seen: set[str] = set()
    for document, file in reader.all(folder, "templates", TemplatesFile, prepared=filled_in):
        for index, template in enumerate(file.templates or ()):
            line = document.line(f"$.templates[{index}]")
            if template.league and template.league not in leagues:
                reader.add(document.file, line, f"league {template.league} has no table, add it to aliases/")
            for name in (template.template_id, template.kalshi_series):
                if name in seen:
                    reader.add(document.file, line, f"{name} has a template already, keep one")
                seen.add(name)
            templates.append(template)
    return templates


def _baskets(reader: _Reader, folder: Path) -> tuple[BasketRow, ...]:
    for document, file in reader.some([folder / BASKETS], BasketsFile):
        rows = file.baskets or ()
        for index, what in repeated(rows):
            reader.add(document.file, document.line(f"$.baskets[{index}]"), f"{what} again, keep one of the rows")
        return rows
    return ()


def row_conflicts(placed: list[PlacedRow], previous: Mappings | None) -> Iterator[tuple[str, int, str]]:
    """Yield what is wrong between rows: one identity twice, one market in two approved pairs, a silent flip."""
    claims: dict[str, Callable[[CuratedRow], str]] = {
        "pair_id": lambda row: row.pair_id,
        "approved ticker": lambda row: row.kalshi.ticker if row.status == "approved" else "",
        "approved yes_token_id": lambda row: row.polymarket.yes_token_id if row.status == "approved" else "",
        "market pair": lambda row: "~".join(row.key) if row.status != "expired" else "",
    }
    for what, claim in claims.items():
        holders: defaultdict[str, list[PlacedRow]] = defaultdict(list)
        for candidate in placed:
            holders[claim(candidate.row)].append(candidate)
        holders.pop("", None)
        for value, rows in holders.items():
            for again in rows[1:]:
                first = f"{rows[0].file}:{rows[0].line}"
                yield again.file, again.line, f"{what} {value} again (first in {first}), keep one of the rows"
    yield from _token_conflicts(placed)
    for current in placed:
        before = previous.rows.get(current.row.id) if previous else None
        if before is not None and _flipped_silently(before.row, current.row):
            what = f"orientation of {current.row.pair_id} changed without a newer review.verified_at, review it again"
            yield current.file, current.line, what


def _token_conflicts(placed: list[PlacedRow]) -> Iterator[tuple[str, int, str]]:
    """Yield rows that say something else about a Polymarket market than an earlier row does."""
    markets: dict[str, PlacedRow] = {}
    tokens: dict[str, PlacedRow] = {}
    for current in placed:
        side = current.row.polymarket
        first = markets.setdefault(side.condition_id, current)
        said = first.row.polymarket
        if (said.token_ids, said.outcomes) != (side.token_ids, side.outcomes):
            what = f"condition_id {side.condition_id} has other outcomes or token_ids in {first.file}:{first.line}"
            yield current.file, current.line, f"{what}, copy both from the venue"
        for token in side.token_ids:
            holder = tokens.setdefault(token, current)
            if holder.row.polymarket.condition_id != side.condition_id:
                what = f"token {token} belongs to another condition_id in {holder.file}:{holder.line}"
                yield current.file, current.line, f"{what}, copy both from the venue"


def notices(mappings: Mappings, now: datetime) -> list[Problem]:
    """Return what somebody should look at in mappings without an error: rows that are over, reviews half done."""
    found: list[Problem] = []
    for placed in mappings.rows.values():
        row = placed.row
        if row.status == "approved" and row.not_after is not None and now >= row.not_after:
            found.append(Problem(placed.file, placed.line, f"{row.pair_id} is past its not_after, mark it expired"))
        if row.status == "needs_review":
            who = f"after {row.review.verified_by}" if row.review.verified_by else ""
            found.append(Problem(placed.file, placed.line, f"{row.pair_id} needs a reviewer {who}".rstrip()))
    found += [
        Problem(BASKETS, 1, f"{row.event or row.series} is past its not_after, remove it")
        for row in mappings.baskets
        if row.not_after is not None and now >= row.not_after
    ]
    found += [
        Problem(f"{DISAGREEMENTS}/{file_name(record)}", 1, record.reason)
        for record in mappings.disagreements
        if record.status == "open"
    ]
    return found


def _flipped_silently(before: CuratedRow, now: CuratedRow) -> bool:
    if before.orientation == now.orientation or now.status != "approved":
        return False
    then, since = before.review.verified_at, now.review.verified_at
    return then is not None and since is not None and since <= then
