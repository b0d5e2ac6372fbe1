"""stub"""
from codec.frame cimport Format
cdef Format DC09
