# Loads and stores of memory that more than one thread uses, by what the compiler offers (C11's memory model).
#
#   load, store      one word, never half of it; nothing is said about other words
#   acquire, publish what was written before the publish is seen after an acquire that sees it
#   ordered          all of these stand in one order that every thread agrees on
#
# On x86-64 the first two rows are plain moves; what changes a word in place costs some 20 cycles and never waits for
# another thread.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef TOCSIN_ATOMICS
    #define TOCSIN_ATOMICS
    #include <stdint.h>
    #define load_8(at)              __atomic_load_n(at, __ATOMIC_RELAXED)
    #define load_16(at)             __atomic_load_n(at, __ATOMIC_RELAXED)
    #define load_32(at)             __atomic_load_n(at, __ATOMIC_RELAXED)
    #define load_64(at)             __atomic_load_n(at, __ATOMIC_RELAXED)
    #define store_8(at, value)      __atomic_store_n(at, value, __ATOMIC_RELAXED)
    #define store_32(at, value)     __atomic_store_n(at, value, __ATOMIC_RELAXED)
    #define store_64(at, value)     __atomic_store_n(at, value, __ATOMIC_RELAXED)
    #define acquire_64(at)          __atomic_load_n(at, __ATOMIC_ACQUIRE)
    #define publish_64(at, value)   __atomic_store_n(at, value, __ATOMIC_RELEASE)
    #define load_ordered_8(at)          __atomic_load_n(at, __ATOMIC_SEQ_CST)
    #define load_ordered_64(at)         __atomic_load_n(at, __ATOMIC_SEQ_CST)
    #define store_ordered_8(at, value)  __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
    #define exchange_16(at, value)  __atomic_exchange_n(at, value, __ATOMIC_RELAXED)
    #define exchange_32(at, value)  __atomic_exchange_n(at, value, __ATOMIC_RELAXED)
    #define exchange_ordered_32(at, value)  __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST)
    #define add_16(at, value)       __atomic_fetch_add(at, (uint16_t)(value), __ATOMIC_RELAXED)
    #define or_16(at, bits)         __atomic_fetch_or(at, (uint16_t)(bits), __ATOMIC_RELAXED)
    #define and_16(at, bits)        __atomic_fetch_and(at, (uint16_t)(bits), __ATOMIC_RELAXED)

    static inline int replace_64(int64_t *at, int64_t before, int64_t after)
    {
        return __atomic_compare_exchange_n(at, &before, after, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }

    static inline int64_t raise_64(int64_t *at, int64_t to)
    {
        int64_t before = __atomic_load_n(at, __ATOMIC_RELAXED);
        while (before < to && !__atomic_compare_exchange_n(at, &before, to, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            ;
        return before;
    }
    #endif
    """
    uint8_t load_8(const uint8_t* at) nogil
    uint16_t load_16(const uint16_t* at) nogil
    uint32_t load_32(const uint32_t* at) nogil
    int64_t load_64(const int64_t* at) nogil
    void store_8(uint8_t* at, uint8_t value) nogil
    void store_32(uint32_t* at, uint32_t value) nogil
    void store_64(int64_t* at, int64_t value) nogil
    uint64_t acquire_64(const uint64_t* at) nogil
    void publish_64(uint64_t* at, uint64_t value) nogil
    uint8_t load_ordered_8(const uint8_t* at) nogil
    int64_t load_ordered_64(const int64_t* at) nogil
    void store_ordered_8(uint8_t* at, uint8_t value) nogil
    uint16_t exchange_16(uint16_t* at, uint16_t value) nogil      # returns what was there; likewise all below
    uint32_t exchange_32(uint32_t* at, uint32_t value) nogil
    uint32_t exchange_ordered_32(uint32_t* at, uint32_t value) nogil
    uint16_t add_16(uint16_t* at, uint16_t value) nogil
    uint16_t or_16(uint16_t* at, int bits) nogil
    uint16_t and_16(uint16_t* at, int bits) nogil
    bint replace_64(int64_t* at, int64_t before, int64_t after) nogil    # ordered; False where `before` was not there
    int64_t raise_64(int64_t* at, int64_t to) nogil               # ordered where it changes; never lowers
