"""Strict YAML: what a person wrote is what the program sees, or a refusal that names file, line and remedy.

PyYAML's own loaders turn ``no`` into False, 77-digit token ids into numbers and dates into dates, let the last of two
equal keys win, and expand aliases without bound. This reader goes through the parser's events instead and builds only
tables, lists and text. Plain ``null``, ``~`` and an empty value mean "not given"; every other scalar stays text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

LARGEST_BYTES = 5_000_000
Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""libyaml's parser, ten times as fast, where PyYAML was built with it."""
_DEEPEST = 20
_NOTHING: dict[str, int] = {}
_NOT_GIVEN = frozenset({"", "~", "null", "Null", "NULL"})


class YamlRefused(ValueError):
    """A file is not what it must be; the message is ``file:line: what, what to do``."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}")
        self.file = file
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: tables, lists and text, and the line on which each value stands."""

    file: str
    value: Any
    _lines: "_Lines"

    def line(self, path: str) -> int:
        """Return the line of a value, or of the nearest value around it; ``path`` as in ``$.pairs[0].ticker``."""
        while path:
            if (line := self._lines.of(path)) is not None:
                return line
            path = path[: max(path.rfind("."), path.rfind("["))] if path != "$" else ""
        return 1


@dataclass(slots=True)
class _Lines:
    """On which line each value stands, kept by table and list: a file has ten times as many paths as of those."""

    within: dict[str, dict[str, int]] = field(default_factory=dict)
    """Line by what a value is called in the table or list at a path: a key or ``0]``."""
    root: int | None = None

    def of(self, path: str) -> int | None:
        """Return the line of the value at a path, None when there is none."""
        if path == "$":
            return self.root
        for cut, mark in enumerate(path):  # keys may hold dots and brackets: every place may be the last one
            if mark in ".[" and (line := self.within.get(path[:cut], _NOTHING).get(path[cut + 1 :])) is not None:
                return line
        return None


@dataclass(slots=True)
class _Open:
    """A table or list whose end has not come yet."""

    path: str
    container: dict[str, Any] | list[Any]
    lines: dict[str, int]
    key: str | None = None


def parse(file: str, content: bytes) -> Document:
    """Return the tables, lists and text in ``content``; ``file`` is only for messages.

    Raises YamlRefused for anything that is not plain: too large, not UTF-8, aliases, anchors, tags, directives,
    duplicate keys, keys that are no text, several documents, deep nesting.
    """
    return _Builder(file, _text(file, content)).document()


def convert(document: Document, kind: type[T]) -> T:
    """Return the document as ``kind``; raises YamlRefused on the line of the first value that does not fit."""
    try:
        return msgspec.convert(document.value, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        path = where.strip("`") or "$"
        if what.startswith("Object contains unknown field"):
            path = f"{path}.{what.split('`')[1]}"
            what = f"unknown key `{what.split('`')[1]}`, correct or remove it"
        raise YamlRefused(document.file, document.line(path), f"{what} (at {path})") from None


def _text(file: str, content: bytes) -> str:
    if len(content) > LARGEST_BYTES:
        raise YamlRefused(file, 1, f"{len(content)} bytes, at most {LARGEST_BYTES} are read: split the file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlRefused(file, line, "not UTF-8, save the file as UTF-8") from None


class _Builder:
    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._lines = _Lines()
        self._open: list[_Open] = []
        self._root: Any = None
        self._documents = 0

    def document(self) -> Document:
        take: dict[type[yaml.Event], Callable[[Any, int], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._table,
            yaml.SequenceStartEvent: self._list,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._start_document,
        }
        try:
            loader = Loader(self._text)
            while (event := loader.get_event()) is not None and not isinstance(event, yaml.StreamEndEvent):
                if (taking := take.get(type(event))) is not None:
                    mark = event.start_mark
                    taking(event, 1 if mark is None else mark.line + 1)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or "not YAML"
            raise YamlRefused(self._file, mark.line + 1 if mark else 1, f"{problem}, correct the syntax") from None
        except yaml.YAMLError as error:
            what = str(error).replace("\n", " ")
            raise YamlRefused(self._file, 1, f"{what}, remove the character") from None
        return Document(self._file, self._root, self._lines)

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        raise YamlRefused(self._file, line, f"alias *{event.anchor}, write the value out instead")

    def _table(self, event: yaml.MappingStartEvent, line: int) -> None:
        self._refuse_marks(event, line)
        self._begin({}, line)

    def _list(self, event: yaml.SequenceStartEvent, line: int) -> None:
        self._refuse_marks(event, line)
        self._begin([], line)

    def _end(self, _event: yaml.Event, _line: int) -> None:
        self._open.pop()

    def _start_document(self, event: yaml.DocumentStartEvent, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise YamlRefused(self._file, line, "a second document, keep one document in a file")
        if event.version or event.tags:
            raise YamlRefused(self._file, line, "a directive, remove it")

    def _refuse_marks(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor:
            raise YamlRefused(self._file, line, f"anchor &{event.anchor}, write values out instead")
        if getattr(event, "tag", None):
            raise YamlRefused(self._file, line, f"tag {event.tag}, remove it: every value is text")  # type: ignore[attr-defined]

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._refuse_marks(event, line)
        top = self._open[-1] if self._open else None
        if top is not None and top.key is None and isinstance(top.container, dict):
            self._key(top, event.value, line)
            return
        plain = event.style is None or event.style == ""
        self._place(None if plain and event.value in _NOT_GIVEN else event.value, line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        if key in top.container:
            first = top.lines[key]
            raise YamlRefused(self._file, line, f"key `{key}` again (first on line {first}), keep one of them")
        top.key = key
        top.lines[key] = line

    def _begin(self, container: dict[str, Any] | list[Any], line: int) -> None:
        if len(self._open) >= _DEEPEST:
            raise YamlRefused(self._file, line, f"nested deeper than {_DEEPEST} levels, flatten it")
        top = self._open[-1] if self._open else None
        if top is None:
            path = "$"
        elif isinstance(top.container, list):
            path = f"{top.path}[{len(top.container)}]"
        else:
            path = f"{top.path}.{top.key}"
        self._place(container, line)
        lines = self._lines.within[path] = {}
        self._open.append(_Open(path, container, lines))

    def _place(self, value: Any, line: int) -> None:
        """Put a finished or just opened value where it belongs."""
        if not self._open:
            self._root = value
            self._lines.root = line
            return
        top = self._open[-1]
        if isinstance(top.container, list):
            top.lines[f"{len(top.container)}]"] = line
            top.container.append(value)
        elif top.key is None:
            raise YamlRefused(self._file, line, "a key that is no text, write a plain word before the colon")
        else:
            top.container[top.key] = value
            top.lines[top.key] = line
            top.key = None
