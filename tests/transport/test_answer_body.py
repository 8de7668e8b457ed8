from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import TransportError
from perps_actors.transport.exchange import Body

LIMIT = 100_000


def collected(data, encoding="gzip", step=997):
    body = Body(encoding, LIMIT)
    for at in range(0, len(data), step):
        body.add(data[at : at + step])
    return body.whole()


@given(st.binary(max_size=2000), st.integers(1, 500))
def test_a_body_is_the_same_compressed_or_not_however_it_comes(content, step):
    assert collected(gzip.compress(content), step=step) == content
    assert collected(content, "identity", step) == collected(content, "", step) == content


def test_a_body_of_exactly_the_limit_passes():
    assert len(collected(gzip.compress(b"x" * LIMIT))) == LIMIT
    assert len(collected(b"x" * LIMIT, "")) == LIMIT


def test_a_small_body_that_decompresses_beyond_the_limit_is_refused_early():
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < LIMIT
    tracemalloc.start()
    with pytest.raises(TransportError, match="longer than 100000 bytes"):
        collected(bomb, step=len(bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * LIMIT


def test_a_large_body_that_decompresses_to_nothing_is_refused():
    with pytest.raises(TransportError, match="longer than 100000 bytes"):
        collected(gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * LIMIT)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(b"x" * 1000)[:-9], "in the middle"),
        (gzip.compress(b"x") + b"more", "after the end"),
        (gzip.compress(b"x") * 2, "after the end"),
        (b"plain text", "not gzip"),
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_an_incomplete_or_continued_compression_is_refused(data, said, step):
    with pytest.raises(TransportError, match=said):
        collected(data, step=step)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_accepted_is_refused(encoding):
    with pytest.raises(TransportError, match="did not accept"):
        Body(encoding, LIMIT)


def test_an_empty_body_needs_no_compression():
    assert collected(b"") == b""
