"""The Cython extensions and the switches of their build; everything else stands in pyproject.toml.

BUILD=release    optimised (the default)
BUILD=debug      CODEC_DEBUG checks on, no optimisation, symbols
BUILD=trace      line tracing for coverage; some 40 times slower, never to be measured
BUILD=sanitize   AddressSanitizer and UndefinedBehaviorSanitizer
ANNOTATE=1       writes an .html beside each .pyx that shows where Python is touched
"""
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
BUILD = os.environ.get("BUILD", "release")
ANNOTATE = os.environ.get("ANNOTATE") == "1"
COMPILE = {
    "release": ["-O3", "-g0", "-fno-plt"],
    "debug": ["-O0", "-g", "-DCODEC_DEBUG=1"],
    "trace": ["-O1", "-g0", "-DCYTHON_TRACE=1", "-DCYTHON_TRACE_NOGIL=1"],
    "sanitize": ["-O1", "-g", "-DCODEC_DEBUG=1", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"],
}
LINK = {"sanitize": ["-fsanitize=address,undefined"]}
DIRECTIVES = {
    "language_level": 3, "boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True,
    "linetrace": BUILD == "trace", "embedsignature": False,
}


def switches_changed() -> bool:
    """Remember the switches; a .c file made under others must not be reused."""
    record, now = ROOT / "build" / "switches", f"BUILD={BUILD} ANNOTATE={ANNOTATE}"
    before = record.read_text() if record.exists() else None
    record.parent.mkdir(exist_ok=True)
    record.write_text(now)
    return before is not None and before != now


def extensions() -> list[Extension]:
    """One extension for each .pyx, named by its place."""
    sources = sorted(path for top in ("codec", "engine", "loadgen", "benchmarks")
                     for path in (ROOT / top).rglob("*.pyx"))
    return [Extension(".".join(path.relative_to(ROOT).with_suffix("").parts), [str(path.relative_to(ROOT))],
                      extra_compile_args=COMPILE[BUILD], extra_link_args=LINK.get(BUILD, []))
            for path in sources]


FORCE = switches_changed()
setup(
    ext_modules=cythonize(extensions(), compiler_directives=DIRECTIVES, annotate=ANNOTATE, force=FORCE,
                          nthreads=os.cpu_count() or 1),
    options={"build_ext": {"inplace": True, "force": FORCE, "parallel": os.cpu_count()}},
)
