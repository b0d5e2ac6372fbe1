# The registry as bytes, little endian: a head, then facilities, transmitters and points as they lie in their tables,
# then the owner of each path and the next path of the same transmitter. A transmitter takes 160 bytes: its record in
# the order of SavedTransmitter, which it had in memory once, and its network.

from engine.filter.registry cimport Registry

cdef list registry_save(const Registry* r)
cdef Py_ssize_t registry_load(Registry* r, const unsigned char[::1] saved, Py_ssize_t at) except -1
