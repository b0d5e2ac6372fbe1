"""The C programs of benchmarks/floor, compiled when they are older than their sources."""
import ctypes
import shutil
import subprocess
from pathlib import Path

FLOOR = Path(__file__).parent / "floor"
BUILD = Path(__file__).parent / "build"
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]


def program(name: str) -> Path:
    """Return the compiled program benchmarks/floor/`name`.c."""
    return compiled(FLOOR / f"{name}.c", BUILD / name, [])


def library(name: str) -> ctypes.CDLL:
    """Return the loaded library benchmarks/floor/`name`.c."""
    return ctypes.CDLL(str(compiled(FLOOR / f"{name}.c", BUILD / f"{name}.so", ["-shared", "-fPIC"])))


def compiled(source: Path, target: Path, flags: list[str]) -> Path:
    """Compile `source` to `target` unless that is newer; another process never sees half a file.

    Raises  RuntimeError with what the compiler said, or that there is none
    """
    newest = max(file.stat().st_mtime for file in (source, *FLOOR.glob("*.h")))
    if target.exists() and target.stat().st_mtime >= newest:
        return target
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise RuntimeError("no C compiler: install the package gcc")
    BUILD.mkdir(exist_ok=True)
    partial = target.with_name(target.name + ".new")
    done = subprocess.run([compiler, *FLAGS, *flags, "-o", partial, source], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{source.name} does not compile:\n{done.stderr}")
    partial.replace(target)
    return target
