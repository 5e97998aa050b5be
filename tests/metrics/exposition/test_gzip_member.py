import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.exposition import gzip_member


def read_one_member(data: bytes) -> bytes:
    """Read as browsers do, who stop at the end of the first member."""
    inflate = zlib.decompressobj(31)
    output = inflate.decompress(data)
    assert inflate.eof
    assert inflate.unused_data == b""
    return output


@given(st.binary(max_size=2000))
def test_what_is_compressed_reads_back(data: bytes) -> None:
    assert read_one_member(gzip_member.compress(data)) == data
    assert gzip.decompress(gzip_member.compress(data)) == data


@given(st.binary(max_size=2000), st.binary(max_size=500))
def test_an_extended_member_is_one_member_of_both_parts(data: bytes, tail: bytes) -> None:
    extended = b"".join(gzip_member.extend(gzip_member.compress(data), tail))
    assert read_one_member(extended) == data + tail
    assert gzip.decompress(extended) == data + tail


def test_the_same_data_give_the_same_bytes_without_a_time() -> None:
    member = gzip_member.compress(b"cost 1\n" * 1000)
    assert member == gzip_member.compress(b"cost 1\n" * 1000)
    assert member[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize("foreign", [b"", b"abc", gzip.compress(b"cost 1\n" * 100, mtime=0)])
def test_what_was_compressed_elsewhere_is_refused(foreign: bytes) -> None:
    with pytest.raises(ValueError, match="can be extended"):
        gzip_member.extend(foreign, b"tail")
