from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.compression import compress, compress_pieces, decompress
from logrouter.instructions import ContentCoding

CODINGS: tuple[ContentCoding, ...] = ("none", "gzip", "zstd", "snappy")


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(max_size=1000) | st.binary(min_size=1, max_size=5).map(lambda part: part * 1000))
def test_what_is_compressed_can_be_read_again(coding: ContentCoding, data: bytes) -> None:
    assert decompress(compress(data, coding), coding) == data


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("level", [None, 6])
@given(pieces=st.lists(st.binary(max_size=300) | st.binary(max_size=5).map(lambda part: part * 1000), max_size=5))
def test_pieces_are_compressed_as_if_they_were_joined(
    coding: ContentCoding, level: int | None, pieces: list[bytes]
) -> None:
    assert decompress(compress_pieces(pieces, coding, level), coding) == b"".join(pieces)


@pytest.mark.parametrize(("coding", "levels"), [("gzip", range(10)), ("zstd", range(1, 20))])
def test_every_level_can_be_read_and_makes_a_difference(coding: ContentCoding, levels: range) -> None:
    data = b"".join(b'{"n":%d,"m":%d}\n' % (number, number * 7919 % 1000) for number in range(3000))
    sizes = [len(compress(data, coding, level)) for level in levels]
    assert [decompress(compress(data, coding, level), coding) for level in levels] == [data] * len(levels)
    assert len(set(sizes)) > len(levels) // 2
    assert max(sizes[1:]) < len(data) / 2


def test_gzip_is_gzip_and_snappy_a_raw_block() -> None:
    assert gzip.decompress(compress(b"text", "gzip")) == b"text"
    assert compress(b"text", "snappy") == b"\x04\x0ctext"
