"""Commands to sites. Python objects: there are few, and the path's mark keeps everybody else away from here."""
from dataclasses import dataclass

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcpy

from codec.limits cimport COMMAND_BYTES_MAX

WAITING_MAX = 4                  # of one path
PATHS_MAX = 10_000               # with commands that wait
SENT_KEPT = 4                    # of one path, to be shown


@dataclass(slots=True)
class Command:
    number: int
    data: bytes
    text: str
    by: str
    queued_ns: int
    expires_ns: int
    state: str = "waiting"
    sent_ns: int | None = None


cdef class Commands:
    def __init__(self):
        self.waiting = {}
        self.sent = {}

    def queue(self, path: int, command: Command):
        """Let a command wait for its path. Returns False when too many wait already."""
        if len(command.data) > COMMAND_BYTES_MAX:
            raise ValueError(f"a command of {len(command.data)} bytes")
        self.drop_expired(path, command.queued_ns)
        if len(self.waiting.get(path, ())) >= WAITING_MAX or (path not in self.waiting
                                                              and len(self.waiting) >= PATHS_MAX):
            return False
        self.waiting.setdefault(path, []).append(command)
        return True

    def waits(self, path: int):
        return path in self.waiting

    def shown(self, path: int, now_ns: int):
        self.drop_expired(path, now_ns)
        return [*self.sent.get(path, ()), *self.waiting.get(path, ())]

    cdef int drop_expired(self, uint32_t number, int64_t now_ns) except -1:
        waiting = self.waiting.get(number, [])
        for command in [command for command in waiting if command.expires_ns <= now_ns]:
            waiting.remove(command)
            self.finish(number, command, "expired", None)
        if not waiting:
            self.waiting.pop(number, None)
        return 0

    def finish(self, path: int, command: Command, state: str, sent_ns: int | None):
        command.state, command.sent_ns = state, sent_ns
        done = self.sent.pop(path, [])
        self.sent[path] = [*done, command][-SENT_KEPT:]
        if len(self.sent) > PATHS_MAX:
            self.sent.pop(next(iter(self.sent)))

    cdef uint32_t take(self, uint32_t number, int64_t now_ns, uint8_t* out) noexcept with gil:
        """Write the command that goes out now, and forget it; return its size, 0: none is left.

        out  COMMAND_BYTES_MAX bytes
        """
        self.drop_expired(number, now_ns)
        waiting = self.waiting.get(number)
        if not waiting:
            return 0
        command = waiting.pop(0)
        if not waiting:
            del self.waiting[number]
        self.finish(number, command, "sent", now_ns)
        memcpy(out, PyBytes_AS_STRING(command.data), len(command.data))
        return <uint32_t>len(command.data)
