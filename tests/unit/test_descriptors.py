"""The limit of open files: raised where it may be, and what it leaves to connections. Each case is a process."""
import subprocess
import sys

import pytest

CODE = """
import resource, sys
soft, hard, *arguments = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from engine.listen.descriptors import connections_each
print(connections_each(*arguments), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("soft", "hard", "connections", "listeners", "expected", "limit", "told"), [
    (1024, 1024, 100, 2, 100, 1024, False),      # enough as it is
    (1024, 4096, 1000, 2, 1000, 2266, False),    # raised to what is wanted
    (1024, 4096, 20_000, 2, 1915, 4096, True),   # raised to what is allowed
    (300, 300, 20_000, 1, 150, 300, True),       # too small for all: half of it
])
def test_limits(soft, hard, connections, listeners, expected, limit, told):
    done = subprocess.run([sys.executable, "-c", CODE, *map(str, (soft, hard, connections, listeners, 10))],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(expected), str(limit)]
    assert ("limit of open files" in done.stderr) == told
