# The application data of GB/T 26875.3 as rows; drawn in gbt26875_objects.pyx.

from codec.batch cimport Columns
from codec.frame cimport Frame, Origin
from codec.status cimport Status

cdef Status push_objects(const Frame* frame, const Origin* origin, Columns* batch) noexcept nogil
