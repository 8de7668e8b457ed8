# cython: language_level=3, cdivision=True
"""The quick checks of `numbers` and the levels of `book` in machine code: see there.

An integer of at most 15 digits fits a float exactly, and so does a power of ten up to the 22nd. One
multiplication or division of the two rounds once, which gives the nearest float (Clinger, "How to
Read Floating Point Numbers Accurately", 1990).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.sequence cimport PySequence_Fast, PySequence_Fast_GET_ITEM, PySequence_Fast_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdlib cimport qsort
from libc.string cimport memmove

from msgspec import Raw

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const unsigned char* PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyLong_CheckExact(object number)
    long long PyLong_AsLongLongAndOverflow(object integer, int* overflow) except? -1

cdef enum Kind:
    ODD  # not plain: takes the thorough check
    INEXACT  # a plain number too long for a float: of the value only the sign holds
    EXACT

cdef enum:
    MOST_CHARACTERS = 32
    MOST_DIGITS = 30
    MOST_EXPONENT = 20
    DIGITS_OF_FLOAT = 15
    POWERS_OF_FLOAT = 22
    FEW = 16  # levels of a message that fit on the stack
    DIGITS_OF_MID = 16  # of a price with the decimal places of the other: twice five times it fits

cdef long long MOST_COUNTED = 999_999_999_999_999
cdef double* POWERS = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]


cdef inline bint _is_digit(unsigned char character) noexcept:
    return c'0' <= character <= c'9'


cdef Kind _parsed(object text, double* value) noexcept:
    """Set the value of the number in a text, and return how exact it is."""
    if not PyUnicode_CheckExact(text) or not PyUnicode_IS_COMPACT_ASCII(text):
        return ODD
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    if length == 0 or length > MOST_CHARACTERS:
        return ODD
    cdef const unsigned char* at = PyUnicode_1BYTE_DATA(text)
    cdef const unsigned char* end = at + length
    cdef bint negative = at[0] == c'-'
    if negative:
        at += 1
    if not _is_digit(at[0]) or not _is_digit(end[-1]):
        return ODD
    cdef const unsigned char* start = at
    cdef const unsigned char* point = NULL
    cdef int significant = 0
    cdef long long mantissa = 0
    while at < end:
        if _is_digit(at[0]):
            if significant or at[0] != c'0':
                significant += 1
                if significant <= DIGITS_OF_FLOAT:
                    mantissa = 10 * mantissa + (at[0] - c'0')
        elif at[0] == c'.' and point == NULL and _is_digit(at[1]):
            point = at
        else:
            break
        at += 1
    if at - start - (point != NULL) > MOST_DIGITS:
        return ODD
    cdef int power = 0
    if at < end and not _exponent(at, end, &power):
        return ODD
    if point != NULL:
        power -= at - point - 1
    cdef bint exact = (
        significant <= DIGITS_OF_FLOAT and -POWERS_OF_FLOAT <= power <= POWERS_OF_FLOAT
    )
    if not exact:
        value[0] = 1 if mantissa else 0
    else:
        value[0] = mantissa / POWERS[-power] if power < 0 else mantissa * POWERS[power]
    if negative:
        value[0] = -value[0]
    return EXACT if exact else INEXACT


cdef Kind _parsed_or_int(object number, double* value) noexcept:
    """Do the same for a number of a level, which is a text or an integer."""
    return _counted(number, value) if PyLong_CheckExact(number) else _parsed(number, value)


cdef Kind _counted(object integer, double* value) noexcept:
    cdef int overflow
    cdef long long number = PyLong_AsLongLongAndOverflow(integer, &overflow)
    if overflow or not -MOST_COUNTED <= number <= MOST_COUNTED:
        return ODD
    value[0] = number
    return EXACT


cdef bint _exponent(const unsigned char* at, const unsigned char* end, int* power) noexcept:
    """Set the exponent between two places; return whether there is one within the limits."""
    cdef bint negative = False
    if at[0] not in (c'e', c'E'):
        return False
    at += 1
    if at[0] in (c'+', c'-'):
        negative = at[0] == c'-'
        at += 1
    if not 1 <= end - at <= 2:
        return False
    while at < end:
        if not _is_digit(at[0]):
            return False
        power[0] = 10 * power[0] + (at[0] - c'0')
        at += 1
    if power[0] > MOST_EXPONENT:
        return False
    if negative:
        power[0] = -power[0]
    return True


cdef inline bint _is_above_zero(object text) noexcept:
    cdef double value
    return _parsed(text, &value) != ODD and value > 0


cdef inline bint _is_size(object text) noexcept:
    cdef double value
    return _parsed(text, &value) != ODD and value >= 0


cdef bint _counted_places(object text, long long* count, int* places) noexcept:
    """Read a text of digits with at most one point; return whether it is one and fits."""
    if not PyUnicode_CheckExact(text) or not PyUnicode_IS_COMPACT_ASCII(text):
        return False
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    if length == 0 or length > DIGITS_OF_MID:
        return False
    cdef const unsigned char* characters = PyUnicode_1BYTE_DATA(text)
    cdef Py_ssize_t at
    count[0] = 0
    places[0] = -1
    for at in range(length):
        if _is_digit(characters[at]):
            count[0] = 10 * count[0] + (characters[at] - c'0')
            if places[0] >= 0:
                places[0] += 1
        elif characters[at] == c'.' and places[0] < 0 and 0 < at < length - 1:
            places[0] = 0
        else:
            return False
    if places[0] < 0:
        places[0] = 0
    return True


def mid_text(bid, ask, /):
    """Return the exact middle of two prices as text; None unless both are short and plain."""
    cdef long long bid_count, ask_count
    cdef int bid_places, ask_places, shift
    if not _counted_places(bid, &bid_count, &bid_places):
        return None
    if not _counted_places(ask, &ask_count, &ask_places):
        return None
    shift = ask_places - bid_places
    if shift > 0:
        bid_count, ask_count, shift = ask_count, bid_count, shift
        bid_places = ask_places
    else:
        shift = -shift
    # Now `ask_count` has `shift` places fewer than `bid_count`.
    while shift:
        if ask_count > MOST_COUNTED:
            return None
        ask_count *= 10
        shift -= 1
    cdef long long middle = 5 * (bid_count + ask_count)
    cdef int places = bid_places + 1
    cdef unsigned char[32] digits
    cdef int at = 32, written = 0
    while middle or written <= places:
        at -= 1
        if written == places and places:
            digits[at] = c'.'
            at -= 1
        digits[at] = c'0' + middle % 10
        middle //= 10
        written += 1
    return PyUnicode_DecodeLatin1(<char*>&digits[at], 32 - at, NULL)


def is_number(text, /):
    cdef double value
    return _parsed(text, &value) != ODD


def is_size(text, /):
    return _is_size(text)


def is_above_zero(text, /):
    return _is_above_zero(text)


def are_levels(bids, asks, /):
    return _are_levels(bids) and _are_levels(asks)


cdef bint _are_levels(object levels) except -1:
    cdef double price, size
    for level in levels:
        if _parsed_or_int(level.price, &price) == ODD or _parsed_or_int(level.size, &size) == ODD:
            return False
        if not (price > 0 and size >= 0):
            return False
    return True


def is_touch(bid, bid_size, ask, ask_size, /):
    cdef double price, other
    if _parsed(bid, &price) != EXACT or _parsed(ask, &other) != EXACT:
        return False
    return 0 < price < other and _is_above_zero(bid_size) and _is_above_zero(ask_size)


cdef struct Entry:
    double rank  # the price of a bid, the negative price of an ask: the best level is last
    PyObject* level

cdef struct Change:
    double rank
    PyObject* level  # NULL deletes it
    Py_ssize_t order


cdef int _by_rank(const void* one, const void* other) noexcept nogil:
    cdef const Change* a = <const Change*> one
    cdef const Change* b = <const Change*> other
    return (a.rank > b.rank) - (a.rank < b.rank) or (a.order > b.order) - (a.order < b.order)


cdef class _Side:
    """Levels of a side, the best one last."""

    cdef Entry* entries
    cdef Py_ssize_t count, room
    cdef double sign

    def __cinit__(self, double sign):
        self.sign = sign

    def __dealloc__(self):
        self.clear()
        PyMem_Free(self.entries)

    cdef void clear(self) noexcept:
        cdef Py_ssize_t at
        for at in range(self.count):
            Py_DECREF(<object> self.entries[at].level)
        self.count = 0

    cdef int reserve(self, Py_ssize_t room) except -1:
        if room > self.room:
            room += room >> 1
            entries = <Entry*> PyMem_Realloc(self.entries, room * sizeof(Entry))
            if entries == NULL:
                raise MemoryError
            self.entries, self.room = entries, room
        return 0

    cdef bint parse(self, object levels, Change* parsed) except -1:
        """Set a change for each of a list or tuple of levels; return whether all are plain."""
        cdef double price, size
        cdef Py_ssize_t at
        for at in range(PySequence_Fast_GET_SIZE(levels)):
            level = <object> PySequence_Fast_GET_ITEM(levels, at)
            if _parsed_or_int(level.price, &price) != EXACT:
                return False
            if _parsed_or_int(level.size, &size) == ODD or not (price > 0 and size >= 0):
                return False
            parsed[at].rank = self.sign * price
            parsed[at].level = <PyObject*> level if size > 0 else NULL
            parsed[at].order = at
        return True

    cdef Py_ssize_t place(self, double rank) noexcept:
        cdef Py_ssize_t low = 0, high = self.count, middle
        while low < high:
            middle = (low + high) >> 1
            if self.entries[middle].rank < rank:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int set(self, Change* parsed, Py_ssize_t count) except -1:
        cdef Py_ssize_t each, at
        cdef bint known
        cdef Entry* place
        cdef PyObject* gone
        self.reserve(self.count + count)
        for each in range(count):
            at = self.place(parsed[each].rank)
            place = self.entries + at
            known = at < self.count and place.rank == parsed[each].rank
            if parsed[each].level != NULL:
                Py_INCREF(<object> parsed[each].level)
                if not known:
                    memmove(place + 1, place, (self.count - at) * sizeof(Entry))
                    self.count += 1
                gone = place.level if known else NULL
                place.rank, place.level = parsed[each].rank, parsed[each].level
            elif known:
                gone = place.level
                self.count -= 1
                memmove(place, place + 1, (self.count - at) * sizeof(Entry))
            else:
                gone = NULL
            if gone != NULL:
                Py_DECREF(<object> gone)
        return 0

    cdef int fill(self, Change* parsed, Py_ssize_t count) except -1:
        """Hold these levels only; of two with the same price the later one."""
        cdef Py_ssize_t each, rising = 0, falling = 0
        cdef Change* change
        for each in range(1, count):
            rising += parsed[each - 1].rank < parsed[each].rank
            falling += parsed[each - 1].rank > parsed[each].rank
        if max(rising, falling) < count - 1:
            qsort(parsed, count, sizeof(Change), _by_rank)
        self.clear()
        self.reserve(count)
        for each in range(count):
            # Most venues send the best level first, so that ranks fall.
            change = parsed + (count - 1 - each if falling == count - 1 else each)
            if change.level == NULL:
                continue
            if each + 1 < count and falling < count - 1 and change[1].rank == change.rank:
                continue
            Py_INCREF(<object> change.level)
            self.entries[self.count].rank = change.rank
            self.entries[self.count].level = change.level
            self.count += 1
        return 0

    cdef tuple texts(self, Py_ssize_t at):
        level = <object> self.entries[at].level
        return _text(level.price), _text(level.size)

    cdef list depth(self, Py_ssize_t levels):
        cdef Py_ssize_t at
        cdef Py_ssize_t last = self.count - 1
        return [self.texts(at) for at in range(last, max(-1, last - levels), -1)]


cdef class FloatBook:
    cdef _Side bids, asks

    def __cinit__(self):
        self.bids, self.asks = _Side(1), _Side(-1)

    def set(self, bids, asks, /):
        return self._take(bids, asks, False)

    def replace(self, bids, asks, /):
        return self._take(bids, asks, True)

    cdef bint _take(self, bids, asks, bint whole) except -1:
        bids, asks = PySequence_Fast(bids, "expected bids"), PySequence_Fast(asks, "expected asks")
        cdef Py_ssize_t bid_count = PySequence_Fast_GET_SIZE(bids)
        cdef Py_ssize_t ask_count = PySequence_Fast_GET_SIZE(asks)
        cdef Change[FEW] few
        cdef Change* parsed = few
        if bid_count + ask_count > FEW:
            parsed = <Change*> PyMem_Malloc((bid_count + ask_count) * sizeof(Change))
            if parsed == NULL:
                raise MemoryError
        try:
            if not (self.bids.parse(bids, parsed) and self.asks.parse(asks, parsed + bid_count)):
                return False
            if whole:
                self.bids.fill(parsed, bid_count)
                self.asks.fill(parsed + bid_count, ask_count)
            else:
                self.bids.set(parsed, bid_count)
                self.asks.set(parsed + bid_count, ask_count)
            return True
        finally:
            if parsed != few:
                PyMem_Free(parsed)

    def best(self):
        cdef _Side bids = self.bids, asks = self.asks
        if bids.count and asks.count:
            if bids.entries[bids.count - 1].rank >= -asks.entries[asks.count - 1].rank:
                return None
        bid = bid_size = ask = ask_size = None
        if bids.count:
            bid, bid_size = bids.texts(bids.count - 1)
        if asks.count:
            ask, ask_size = asks.texts(asks.count - 1)
        return bid, bid_size, ask, ask_size, bids.count, asks.count

    def depth(self, Py_ssize_t levels, /):
        return self.bids.depth(levels), self.asks.depth(levels)


cdef str _spelled(object number):
    cdef Py_buffer data
    cdef str text
    PyObject_GetBuffer(number, &data, PyBUF_SIMPLE)
    text = PyUnicode_DecodeLatin1(<const char*> data.buf, data.len, NULL)
    PyBuffer_Release(&data)
    return text


cdef object _text(object number):
    if type(number) is str:
        return number
    if type(number) is Raw:
        return _spelled(number)
    if type(number) is int:
        return _digits(number)
    return str(number)


cdef str _digits(object integer):
    cdef char[20] text
    cdef int overflow
    cdef long long rest = PyLong_AsLongLongAndOverflow(integer, &overflow)
    if overflow or rest < 0:
        return str(integer)
    cdef Py_ssize_t at = 20
    while rest or at == 20:
        at -= 1
        text[at] = c'0' + <char> (rest % 10)
        rest //= 10
    return PyUnicode_DecodeLatin1(&text[at], 20 - at, NULL)


def spelled(number, /):
    return _spelled(number)


def numbers_of(*numbers):
    cdef list texts = []
    cdef double value
    cdef str text
    for number in numbers:
        text = _spelled(number)
        if _parsed(text, &value) != ODD:
            texts.append(text)
        elif PyUnicode_GET_LENGTH(text) == 0 or text == "null":
            texts.append(None)
        else:
            return None
    return texts


def levels_of(rows, /):
    level = _level_type()
    return [level(_text(row.price), _text(row.size)) for row in rows]


cdef object _LEVEL = None


cdef object _level_type():
    # Imported at the first call, because `book` imports this module while it is being imported.
    global _LEVEL
    if _LEVEL is None:
        from perps_actors.market.book import Level
        _LEVEL = Level
    return _LEVEL
