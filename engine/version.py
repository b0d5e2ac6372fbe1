"""What is running."""
import platform
from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("tocsin")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "unknown"
PYTHON = platform.python_version()
