"""House rules that no linter knows, each with a snippet that breaks it.

A rule takes a module and returns what is wrong with it, as lines of ``number: what``.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE_LINES = 600

MONEY = re.compile(r"_(e4|e6|e10|dollars|contracts)$")
DURATION = re.compile(r"_(s|ms|us|ns)$")
SCALED = re.compile(r"_(e4|e6|e10)$", re.IGNORECASE)
NAIVE = "services/cli/bench/naive.py"
"""The baseline of the benchmarks does on purpose what everybody does."""
MAY_MAKE_REDIS = frozenset({"shared/io/clients.py", NAIVE})
MAY_CALL_FLOAT = {"services/cli/bench/detector_rivals.py"}
"""The packages compared there take floats."""
MAY_IMPORT_JSON = frozenset(
    {
        NAIVE,
        "services/cli/bench/kalshi_rivals.py",
        "services/cli/bench/polymarket.py",
        "services/matcher/mapping_text.py",
    }
)
"""msgspec parses: the standard parser takes NaN, Infinity and the last of two equal keys. The matcher only writes."""

# Written in pieces, so that this file does not break its own rule.
FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/wo" + r"rk/",
            r"/tm" + r"p/(?:wt|brief|venv)\b",
            r"/ro" + r"ot/",
            r"/op" + r"t/(?:pypi|wheels)",
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.(?:org|com)",
            "deb" + r"ian\.org",
        ]
    )
)
IMPURE_CALLS = frozenset({"now", "today", "utcnow", "open", "input", "uuid1", "uuid4"})
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + r"X)\b")


class Module(NamedTuple):
    """A source file: its path inside the project, its text and its tree."""

    path: str
    text: str
    tree: ast.Module


Rule = Callable[[Module], Iterator[str]]


def parsed(path: str, text: str) -> Module:
    return Module(path, text, ast.parse(text, path))


def modules() -> list[Module]:
    paths = sorted(path for top in ("services", "shared") for path in (ROOT / top).rglob("*.py"))
    return [parsed(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


def name_of(node: ast.AST) -> str:
    """Return the last word of a name: ``b`` of ``a.b``; empty when the node is no name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case ast.keyword(arg=str(name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
    return ""


def is_money(node: ast.AST) -> bool:
    return bool(MONEY.search(name_of(node)))


def mentions_money(node: ast.AST) -> bool:
    return any(is_money(part) for part in ast.walk(node) if not isinstance(part, ast.keyword))


def mentions_scaled(node: ast.AST) -> bool:
    return any(SCALED.search(name_of(part)) for part in ast.walk(node))


def is_exact(node: ast.AST) -> bool:
    """Whether a Decimal or Fraction takes part, by its call or by its name; then a division stays one."""
    return any(re.search(r"^(Decimal|Fraction)$|(^|_)(dollars|contracts)$", name_of(part)) for part in ast.walk(node))


def has_float(node: ast.AST | None) -> bool:
    parts = ast.walk(node) if node is not None else ()
    return any(isinstance(part, ast.Constant) and type(part.value) is float for part in parts)


def says_float(annotation: ast.AST | None) -> bool:
    return annotation is not None and re.search(r"\bfloat\b", ast.unparse(annotation)) is not None


def no_docstring(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "1: a module says in its docstring what it is for"


def too_long(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines >= LONGEST_MODULE_LINES:
        yield f"{lines}: a module has one subject and fewer than {LONGEST_MODULE_LINES} lines"


def float_call(module: Module) -> Iterator[str]:
    """Only what is named as a duration may become a float."""
    if module.path in MAY_CALL_FLOAT:
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=func, args=args) if name_of(func) == "float":
                if not all(DURATION.search(name_of(argument)) for argument in args):
                    yield f"{node.lineno}: float() makes numbers inexact; text enters through shared.domain.numbers"


def float_beside_money(module: Module) -> Iterator[str]:
    """Literals, true division and annotations that would make an amount a float."""
    for node in ast.walk(module.tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.BinOp(op=ast.Div()) if mentions_scaled(node) and not is_exact(node):
                yield f"{line}: true division of a scaled integer is a float: use //, divmod, Fraction or Decimal"
            case ast.BinOp() | ast.Compare() if has_float(node) and mentions_money(node):
                yield f"{line}: a float literal beside an amount"
            case ast.AugAssign(target=target, op=op, value=value) if is_money(target):
                if has_float(value) or (isinstance(op, ast.Div) and SCALED.search(name_of(target))):
                    yield f"{line}: an amount becomes a float"
            case ast.Assign(targets=targets, value=value) if has_float(value) and any(map(is_money, targets)):
                yield f"{line}: a float literal for an amount"
            case ast.AnnAssign(target=target, annotation=annotation, value=value) if is_money(target):
                if says_float(annotation) or has_float(value):
                    yield f"{line}: an amount is an int or a Decimal"
            case ast.arg(annotation=annotation) if is_money(node) and says_float(annotation):
                yield f"{line}: an amount is an int or a Decimal"
            case ast.keyword(value=value) if is_money(node) and has_float(value):
                yield f"{value.lineno}: a float literal for an amount"
            case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns):
                if is_money(node) and says_float(returns):
                    yield f"{line}: an amount is an int or a Decimal"


def bare_redis(module: Module) -> Iterator[str]:
    if module.path in MAY_MAKE_REDIS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and name_of(node.func) in {"Redis", "StrictRedis", "RedisCluster", "from_url"}:
            yield f"{node.lineno}: a Redis client is made by shared.io.clients.connect: time limits, no hidden retries"


def json_import(module: Module) -> Iterator[str]:
    if module.path in MAY_IMPORT_JSON:
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names) if any(one.name.split(".")[0] == "json" for one in names):
                yield f"{node.lineno}: msgspec.json reads and writes JSON here"
            case ast.ImportFrom(module="json"):
                yield f"{node.lineno}: msgspec.json reads and writes JSON here"


def clock_in_pure_code(module: Module) -> Iterator[str]:
    """What the import contracts cannot see: clocks, randomness and files reached through permitted modules."""
    if not module.path.startswith(("shared/domain/", "shared/venues/")):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and name_of(node.func) in {
            "now",
            "today",
            "utcnow",
            "open",
            "input",
            "uuid1",
            "uuid4",
        }:
            yield f"{node.lineno}: pure code gets time, randomness and text from its caller"


RULES: tuple[Rule, ...] = (
    no_docstring,
    too_long,
    float_call,
    float_beside_money,
    bare_redis,
    json_import,
    clock_in_pure_code,
)

BREACHES: dict[Rule, list[str]] = {
    no_docstring: ["x = 1", ""],
    too_long: ["x = 1\n" * LONGEST_MODULE_LINES],
    float_call: ["x = float(text)", "f = builtins.float('1')", "x = float(price_e4)"],
    float_beside_money: [
        "x = price_e4 / 2",
        "x = n / self.ONE_DOLLAR_E10",
        "x = book[0].size_e6 * 0.5",
        "x = edge_dollars > 0.01",
        "fee_e10 /= 2",
        "fee_e10 *= 1.5",
        "price_dollars = 0.5",
        "order.price_dollars = -0.5",
        "price_dollars: float",
        "price_dollars: Decimal = 0.5",
        "def f(size_contracts: float | None): ...",
        "def fee_dollars() -> float: ...",
        "async def fee_dollars() -> list[float]: ...",
        "f(price_dollars=0.5)",
    ],
    bare_redis: [
        "r = Redis()",
        "r = redis.asyncio.Redis(host='x')",
        "r = Redis.from_url(url)",
        "p = ConnectionPool.from_url(url)",
    ],
    json_import: ["import json", "import json.decoder as d", "from json import loads"],
    clock_in_pure_code: ["x = datetime.now(UTC)", "x = date.today()", "x = open('f')", "x = uuid.uuid4()"],
}

FINE = '''"""Amounts are exact."""
import msgspec
half_e4 = price_e4 // 2
size_contracts = Decimal(size_e6) / ONE_CONTRACT_E6
per_contract_dollars = edge_dollars / size_contracts
wait_s = 0.5 * float(settings.wait_s)
ratio = done / total
size_contracts: Decimal = Decimal("0.5")
def fee_dollars(price_dollars: Decimal) -> Decimal: ...
client = connect(url, Profile.WRITER)
f(price_dollars=Decimal("0.5"), wait_s=0.5)
'''


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    assert [f"{module.path}:{breach}" for module in modules() for breach in rule(module)] == []


@pytest.mark.parametrize(("rule", "snippet"), [(rule, one) for rule, some in BREACHES.items() for one in some])
def test_a_breach_is_noticed(rule: Rule, snippet: str) -> None:
    assert list(rule(parsed("shared/domain/bad.py", snippet)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_fine_code_breaks_no_rule(rule: Rule) -> None:
    assert list(rule(parsed("shared/domain/fine.py", FINE))) == []


def test_every_rule_has_a_snippet_that_breaks_it() -> None:
    assert set(BREACHES) == set(RULES)
    assert modules()


def tracked_files() -> list[Path]:
    """Every file of the repository that git knows or would take; skipped where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip(f"needs a git checkout: {listed.stderr.strip()}")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], texts: Iterable[tuple[str, str]]) -> list[str]:
    return [
        f"{name}:{number}: {found[0]}"
        for name, text in texts
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def texts(*endings: str) -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        if not endings or path.name.endswith(endings):
            content = path.read_bytes()
            if b"\0" not in content:
                yield path.relative_to(ROOT).as_posix(), content.decode(errors="replace")


def test_no_file_names_a_place_that_only_its_author_knew() -> None:
    assert lines_with(FOREIGN, texts()) == []


def test_nothing_is_left_unfinished() -> None:
    assert lines_with(UNFINISHED, texts(".py", ".toml", ".yml", ".yaml", "Makefile", "Dockerfile", "run")) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (FOREIGN, "open('/wo" + "rk/x')"),
        (FOREIGN, "# see https://py" + "pi.org/simple"),
        (FOREIGN, "https://files.python" + "hosted.org/a"),
        (FOREIGN, "cd /tm" + "p/wt/x"),
        (UNFINISHED, "# TO" + "DO: later"),
        (UNFINISHED, "x = 1  # FIX" + "ME"),
    ],
)
def test_a_foreign_or_unfinished_line_is_noticed(pattern: re.Pattern[str], line: str) -> None:
    assert lines_with(pattern, [("f", "fine: ../shared and network/\n" + line)]) == [f"f:2: {pattern.search(line)[0]}"]  # type: ignore[index]
