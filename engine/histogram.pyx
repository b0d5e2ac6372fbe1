"""temporary"""
cdef class Histogram:
    pass
