"""The ledger puts each sample where it belongs."""
import shutil

import pytest

from benchmarks import ledger

SAMPLES = """\
tocsin
\tffffffffa1 udp_sendmsg ([kernel.kallsyms])
\tffffffffa2 __x64_sys_sendmmsg ([kernel.kallsyms])
\t7f0000000001 __sendmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)

tocsin
\tffffffffa3 _raw_spin_unlock_irqrestore ([kernel.kallsyms])
\tffffffffa4 sock_def_readable ([kernel.kallsyms])
\tffffffffa5 process_backlog ([kernel.kallsyms])
\tffffffffa6 __x64_sys_sendmmsg ([kernel.kallsyms])

tocsin
\t7f0000000002 receive (/a/engine/listen/udp.cpython-311-x86_64-linux-gnu.so)

tocsin
\t7f0000000003 _PyEval_EvalFrameDefault (/usr/lib/libpython3.11.so.1.0)

tocsin
\tffffffffa7 finish_task_switch ([kernel.kallsyms])
\tffffffffa8 do_epoll_wait ([kernel.kallsyms])
"""


def test_a_sample_belongs_where_its_stack_says() -> None:
    assert [ledger.place_of(lines) for lines in ledger.stacks(SAMPLES)] == [
        "kernel: send", "kernel: wake the peer", "datagrams", "loop and Python", "kernel: wait"]


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "perf" else name)
    assert ledger.main([]) == 2
    assert capsys.readouterr().out == "not installed: perf (Debian: linux-perf valgrind)\n"


@pytest.mark.parametrize("kind", ledger.DRIVEN)
def test_what_is_counted_runs(kind: str) -> None:
    assert ledger.main(["--drive", kind, "--times", "1"]) == 0
