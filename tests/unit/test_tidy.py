"""What every file must keep to; each rule is a function from a file's text to complaints, and is itself tested."""
import ast
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOPS = ("codec", "engine", "loadgen", "benchmarks", "tests", "deploy", "docs", ".ci")
GENERATED = {".c", ".so", ".lis", ".html", ".pyc"}
FILE_LINES_MAX = {".py": 500, ".pyx": 500, ".pyi": 500, ".pxd": 150}
FUNCTION_LINES_MAX, LINE_COLUMNS_MAX = 70, 120

# Put together from halves, so that this file does not complain about itself.
LEFTOVER = re.compile(r"\b(" + "|".join(("FIX" + "ME", "TO" + "DO", "XX" + "X")) + r")\b")
MACHINE = re.compile("|".join((r"(?<![\w.-])/wo" + r"rk/", "/tmp/" + "wt", "/tmp/" + "brief", "fa" + "rm-",
                               r"\.\./sha" + "red")))
CLOCK = re.compile(r"\b(time\.(time|monotonic|perf_counter|time_ns|monotonic_ns|perf_counter_ns|sleep|localtime|gmtime)"
                   r"\b|from time import|datetime\.(now|utcnow|today)\b|date\.today\b|clock_gettime\b|gettimeofday\b)")
PRINT = re.compile(r"(?<![\w.])print\(")
ENGINE = re.compile(r"^\s*(from|import|cimport)\s+engine\b", re.MULTILINE)
OUTSIDE = re.compile(r"^\s*(from|import|cimport)\s+(asyncio|socket|time|logging|os|threading|select|ssl)\b",
                     re.MULTILINE)
MAY_PRINT = ("engine/command/", "loadgen/", "benchmarks/", "deploy/", "tests/simulation/__main__.py")
MAY_READ_CLOCKS = ("engine/clock.pyx", "loadgen/", "benchmarks/", "tests/", "deploy/")


@cache
def files() -> tuple[Path, ...]:
    """Every file that a person wrote."""
    found = itertools.chain(ROOT.glob("*"), *((ROOT / top).rglob("*") for top in TOPS))
    return tuple(sorted(path for path in found if path.is_file() and not made(path)
                        and not {"__pycache__", "build"} & set(path.relative_to(ROOT).parts)))


def made(path: Path) -> bool:
    return path.suffix in GENERATED and (path.suffix not in {".c", ".html"} or path.with_suffix(".pyx").exists())


def sources(*suffixes: str) -> list[Path]:
    return [path for path in files() if path.suffix in suffixes]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(text: str) -> str:
    """Blank comments and strings; lines stay where they are. Good enough for Cython, which no Python parser reads."""
    pattern = r'("""|\'\'\')(?:\\.|.)*?\1|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*'
    return re.sub(pattern, lambda match: "''" + "\n" * match[0].count("\n"), text, flags=re.DOTALL)


# -- the rules ---------------------------------------------------------------------------------------------------


def too_long(text: str, suffix: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX[suffix]:
        yield f"{len(lines)} lines; at most {FILE_LINES_MAX[suffix]}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield f"line {number} has {len(line)} columns; at most {LINE_COLUMNS_MAX}"
    functions = functions_of_python(text) if suffix in {".py", ".pyi"} else functions_of_cython(text)
    for name, length in functions:
        if length > FUNCTION_LINES_MAX:
            yield f"{name} has {length} lines; at most {FUNCTION_LINES_MAX}"


def functions_of_python(text: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def functions_of_cython(text: str) -> Iterator[tuple[str, int]]:
    """A function ends at the last line that stands deeper than its head."""
    lines = code_of(text).splitlines()
    for start, line in enumerate(lines):
        head = re.match(r"( *)(?:async +)?(?:def|cdef|cpdef) [^=(]*?(\w+)\(", line)
        if not head or line.startswith(" " * len(head[1]) + "cdef class"):
            continue
        end = start
        for number in range(start + 1, len(lines)):
            rest = lines[number]
            if rest.strip() and len(rest) - len(rest.lstrip()) <= len(head[1]) and not rest.lstrip().startswith(")"):
                break
            if rest.strip():
                end = number
        yield head[2], end - start + 1


def banned(text: str, where: str) -> Iterator[str]:
    code = code_of(text)
    if not where.startswith((*MAY_PRINT, "setup.py")) and PRINT.search(code):
        yield "print: log, count or return instead"
    if not where.startswith(MAY_READ_CLOCKS) and (clock := CLOCK.search(code)):
        yield f"{clock[0]}: take an engine.clock.Clock"
    if where.startswith(("codec/", "loadgen/")) and ENGINE.search(code):
        yield "engine: may not be imported here"
    if where.startswith("codec/") and (outside := OUTSIDE.search(code)):
        yield f"{outside[2]}: codec knows no world outside"


def leftover(text: str) -> Iterator[str]:
    for pattern, why in ((LEFTOVER, "finish it or open it elsewhere"), (MACHINE, "a name of one machine")):
        for match in pattern.finditer(text):
            yield f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}: {why}"


def drift(pyx: str, pxd: str, pyi: str) -> Iterator[str]:
    """Compare the public classes, functions and methods of a module with those of its .pyi."""
    written, told, code = names_of_cython(pyx), names_of_stub(pyi), code_of(pxd) + "\n" + code_of(pyx)
    enums = set(re.findall(r"^cpdef enum (\w+)", code, re.MULTILINE))
    open_attributes = set(re.findall(r"\bcdef (?:readonly|public) [^\n:]*?(\w+) *(?:''.*)?$", code, re.MULTILINE))
    for name in sorted(written - told):
        yield f"{name} is missing in the .pyi"
    for name in sorted(told - written - enums):
        if name.rpartition(".")[2] not in open_attributes:
            yield f"{name} stands in the .pyi only"


def names_of_cython(text: str) -> set[str]:
    """Classes, functions and Class.method of a .pyx, as Python sees them; nothing private, no special methods."""
    names, owner = set(), ""
    for line in code_of(text).splitlines():
        if match := re.match(r"(?:cdef +)?class +(\w+)", line):
            owner = match[1]
            names.add(owner)
        elif match := re.match(r"(?:async +def|def|cpdef(?! +enum)(?: +inline)?(?: +[\w.*\[\]]+)*?) +(\w+)\(", line):
            owner = ""
            names.add(match[1])
        elif re.match(r"\w", line):
            owner = ""
        elif owner and (match := re.match(r" {4}(?:async +def|def|cpdef(?: +[\w.*\[\]]+)*?) +(\w+)\(", line)):
            names.add(f"{owner}.{match[1]}")
    return {name for name in names if not any(part.startswith("_") for part in name.split("."))}


def names_of_stub(text: str) -> set[str]:
    names = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body
                      if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in names if not any(part.startswith("_") for part in name.split("."))}


# -- the files against the rules ---------------------------------------------------------------------------------


def hold(paths: list[Path], rule: Callable[[str, Path], Iterator[str]]) -> None:
    """Fail with one line for each complaint."""
    said = [f"{place(path)}: {complaint}" for path in paths for complaint in rule(path.read_text("utf-8"), path)]
    assert paths
    if said:
        pytest.fail("\n".join(said), pytrace=False)


def test_sizes() -> None:
    hold(sources(".py", ".pyx", ".pxd", ".pyi"), lambda text, path: too_long(text, path.suffix))


def test_banned_names() -> None:
    hold(sources(".py", ".pyx", ".pxd"), lambda text, path: banned(text, place(path)))


def test_nothing_left_over() -> None:
    def rule(text: str, path: Path) -> Iterator[str]:
        return leftover(text)
    written = [path for path in files() if b"\0" not in path.read_bytes()[:1024]]
    assert any(path.name == "Makefile" for path in written)
    hold(written, rule)


def test_stubs_tell_what_the_modules_have() -> None:
    def rule(text: str, path: Path) -> Iterator[str]:
        pxd, pyi = path.with_suffix(".pxd"), path.with_suffix(".pyi")
        return drift(text, pxd.read_text() if pxd.exists() else "", pyi.read_text() if pyi.exists() else "")
    hold([path for path in sources(".pyx") if not place(path).startswith(("benchmarks/", "tests/"))], rule)


def test_cython_had_nothing_to_say() -> None:
    """Performance hints and warnings of the last compilation, which the build leaves beside each source.

    What stands in tests/sanitize no other build than that compiles, and not here.
    """
    def rule(text: str, path: Path) -> Iterator[str]:
        listing = path.with_suffix(".lis")
        if not listing.exists():
            yield "was never compiled: make build"
        else:
            yield from (line for line in listing.read_text("utf-8", "replace").splitlines()
                        if line.startswith(("performance hint:", "warning:")))
    hold([path for path in sources(".pyx") if not place(path).startswith("tests/sanitize/")], rule)


def test_extensions_have_sources() -> None:
    """A compiled module whose source is gone would hide a .py of the same name."""
    for top in ("codec", "engine", "loadgen"):
        for path in (ROOT / top).rglob("*.so"):
            assert (path.parent / path.name.partition(".")[0]).with_suffix(".pyx").exists(), path


def test_tests_are_told_apart_by_name_alone() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, times in names.items() if times > 1]
    assert not list((ROOT / "tests").rglob("__init__.py"))


# -- the rules themselves: each must find what is planted ----------------------------------------------------------


@pytest.mark.parametrize(("text", "suffix", "count"), [
    ("x = 1\n" * 500, ".py", 0), ("x = 1\n" * 501, ".py", 1), ("\n" * 151, ".pxd", 1), ("x" * 121, ".pyx", 1),
    ("def f():\n" + "    pass\n" * 69, ".py", 0), ("def f():\n" + "    pass\n" * 70, ".py", 1),
    ("cdef class A:\n    cdef int f(self,\n          int b) nogil:\n" + "        pass\n" * 68, ".pyx", 0),
    ("cdef class A:\n    cdef int f(self) nogil:\n" + "        pass\n\n" * 35, ".pyx", 0),
    ("cdef class A:\n    cdef int f(self) nogil:\n" + "        pass\n\n" * 36, ".pyx", 1),
    ("cdef class A:\n" + "    def f(self):\n        pass\n" * 60, ".pyx", 0),
])
def test_rule_of_sizes(text: str, suffix: str, count: int) -> None:
    assert len(list(too_long(text, suffix))) == count


@pytest.mark.parametrize(("text", "where", "count"), [
    ("print(1)", "engine/a.py", 1), ("print(1)", "engine/command/a.py", 0),
    ("a.print(1)\n# print(1)", "engine/a.py", 0),
    ("time.time()", "engine/a.py", 1), ("time.monotonic_ns()", "codec/a.pyx", 1), ("'time.time()'", "engine/a.py", 0),
    ("datetime.now(UTC)", "engine/a.py", 1), ("clock_gettime(0, &t)", "engine/clock.pyx", 0),
    ("time.time()", "loadgen/a.py", 0), ("from engine.x import y", "loadgen/a.py", 1),
    ("  from engine.x cimport y", "codec/a.pyx", 1), ("from engineering import y", "codec/a.py", 0),
    ("import socket", "codec/a.py", 1), ("import socket", "engine/a.py", 0),
    ("'''\nimport socket\n'''", "codec/a.py", 0),
])
def test_rule_of_banned_names(text: str, where: str, count: int) -> None:
    assert len(list(banned(text, where))) == count


@pytest.mark.parametrize(("text", "count"), [
    ("# FIX" + "ME later", 1), ("TO" + "DO", 1), ("to" + "do", 0), ("cd /wo" + "rk/main", 1), ("/tmp/" + "wt/x", 1),
    ("a/wo" + "rk/b", 0), ("fa" + "rm-1", 1), ("../sha" + "red/x", 1), ("/tmp/x", 0),
])
def test_rule_of_leftovers(text: str, count: int) -> None:
    assert len(list(leftover(text))) == count


@pytest.mark.parametrize(("pyx", "pxd", "pyi", "count"), [
    ("cdef class A:\n    def f(self): pass\n", "", "class A:\n    def f(self) -> int: ...", 0),
    ("cdef class A:\n    def f(self): pass\n", "", "class A: ...", 1),
    ("cdef class A:\n    cdef int f(self): pass\n    def __len__(self): pass\n", "", "class A: ...", 0),
    ("cdef class A:\n    def _f(self): pass\n", "", "class A:\n    def g(self) -> int: ...", 1),
    ("cdef int f(int a): return a\ndef g(): pass\ncpdef int h(int a): return a\n", "", "def g() -> int: ...", 1),
    ("", "cpdef enum E:\n    A = 1\n", "class E: ...", 0), ("", "", "class E: ...", 1),
    ("cdef class A: pass\n", "cdef class A:\n    cdef readonly int x\n", "class A:\n    def x(self) -> int: ...", 0),
])
def test_rule_of_stubs(pyx: str, pxd: str, pyi: str, count: int) -> None:
    assert len(list(drift(pyx, pxd, pyi))) == count
