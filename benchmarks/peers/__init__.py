"""Tocsin beside programs that do a part of its work, on the same machine, by the same client: one table.

Read `__main__.py` (the command), `contenders.py` (who, and what each does), `offered.py` and `connected.py` (the
measurement over UDP and TCP), `packages.py` (where the programs are from), `table.py`.
"""
