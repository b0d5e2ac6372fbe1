# What the filter remembers, as objects for people: alarms, and the keys of transmitters.

from libc.stdint cimport uint32_t

from engine.filter.alarms cimport Alarm, Alarms
from engine.filter.place cimport Place
from engine.filter.registry cimport Registry

cdef str name_text(const Place* name)
cdef uint32_t transmitter_called(const Registry* r, str key, Place* name)
cdef dict alarm_row(const Alarms* a, const Registry* r, const Alarm* alarm)
cdef dict facility_row(const Registry* r, uint32_t slot)
