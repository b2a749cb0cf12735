"""Strict YAML: what a person wrote is what the program sees, or a refusal that names file, line and remedy.

PyYAML's own loaders turn ``no`` into False, 77-digit token ids into numbers and dates into dates, let the last of two
equal keys win, and expand aliases without bound. This reader goes through the parser's events instead and builds only
tables, lists and text. Plain ``null``, ``~`` and an empty value mean "not given"; every other scalar stays text.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

LARGEST_BYTES = 5_000_000
_DEEPEST = 20
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
    lines: dict[str, int]
    """Line by path, written as in ``$.pairs[0].kalshi.ticker``."""

    def line(self, path: str) -> int:
        """Return the line of a value, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["))] if path != "$" else ""
        return self.lines.get(path, 1)


@dataclass(slots=True)
class _Open:
    """A table or list whose end has not come yet."""

    path: str
    line: int
    container: dict[str, Any] | list[Any]
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
        self._lines: dict[str, int] = {}
        self._open: list[_Open] = []
        self._root: Any = None
        self._documents = 0

    def document(self) -> Document:
        try:
            for event in yaml.parse(self._text, Loader=yaml.CSafeLoader):
                mark = event.start_mark
                self._take(event, 1 if mark is None else mark.line + 1)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or "not YAML"
            raise YamlRefused(self._file, mark.line + 1 if mark else 1, f"{problem}, correct the syntax") from None
        except yaml.YAMLError as error:
            what = str(error).replace("\n", " ")
            raise YamlRefused(self._file, 1, f"{what}, remove the character") from None
        return Document(self._file, self._root, self._lines)

    def _take(self, event: yaml.Event, line: int) -> None:
        match event:
            case yaml.AliasEvent():
                raise YamlRefused(self._file, line, f"alias *{event.anchor}, write the value out instead")
            case yaml.ScalarEvent():
                self._refuse_marks(event, line)
                self._scalar(event, line)
            case yaml.MappingStartEvent():
                self._refuse_marks(event, line)
                self._begin({}, line)
            case yaml.SequenceStartEvent():
                self._refuse_marks(event, line)
                self._begin([], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
            case yaml.DocumentStartEvent():
                self._start_document(event, line)
            case _:
                pass

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
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.container, dict) and top.key is None:
            self._key(top, event.value, line)
            return
        plain = event.style is None or event.style == ""
        self._place(None if plain and event.value in _NOT_GIVEN else event.value, line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        first = self._lines.get(f"{top.path}.{key}")
        if key in top.container:
            raise YamlRefused(self._file, line, f"key `{key}` again (first on line {first}), keep one of them")
        top.key = key
        self._lines[f"{top.path}.{key}"] = line

    def _begin(self, container: dict[str, Any] | list[Any], line: int) -> None:
        if len(self._open) >= _DEEPEST:
            raise YamlRefused(self._file, line, f"nested deeper than {_DEEPEST} levels, flatten it")
        path = self._place(container, line)
        self._open.append(_Open(path, line, container))

    def _place(self, value: Any, line: int) -> str:
        """Put a finished or just opened value where it belongs and return its path."""
        if not self._open:
            self._root = value
            self._lines["$"] = line
            return "$"
        top = self._open[-1]
        if isinstance(top.container, list):
            path = f"{top.path}[{len(top.container)}]"
            top.container.append(value)
        elif top.key is None:
            raise YamlRefused(self._file, line, "a key that is no text, write a plain word before the colon")
        else:
            path = f"{top.path}.{top.key}"
            top.container[top.key] = value
            top.key = None
        self._lines[path] = line
        return path
