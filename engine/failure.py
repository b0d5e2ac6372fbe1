"""Whose error it was: the network's and the libraries' are survived, one of ours stops the engine."""
import traceback
from pathlib import Path


def is_ours(error: Exception) -> bool:
    """Tell whether an error rose in our code, and not in a library's."""
    places = [Path(frame.f_code.co_filename).parts for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = places[-1] if places else ()
    return ("engine" in where or "codec" in where) and "site-packages" not in where
