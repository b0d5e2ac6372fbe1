"""Open files for connections: as many as the machine allows, and never those that the journal needs.

Without a file descriptor no segment can be begun and no alarm acknowledged, so whoever opens connections must not be
able to take the last one. Most systems start a process with a soft limit of 1024 and let it raise that itself.
"""
import logging
import resource

log = logging.getLogger("engine.listen")
KEPT = 256                       # for journal, snapshots, database, sockets and short requests over HTTP


def connections_each(connections_max: int, listeners: int, subscribers_max: int) -> int:
    """Raise the limit of open files as far as it is wanted and allowed; return the connections of a listener.

    Of a limit that is too small for all, connections get what is left beside subscribers and KEPT, at least half.
    """
    kept = KEPT + subscribers_max
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max * listeners + kept
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections_max
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return connections_max
    each = (allowed - min(kept, allowed // 2)) // listeners
    log.warning("the limit of open files leaves fewer connections than listen.connections_max", extra={
        "limit": allowed, "connections": each, "wanted": wanted})
    return each
