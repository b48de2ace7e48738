import gzip

import numpy as np
import pytest

from npnet.data.idx import read_idx
from npnet.errors import InputError, MissingError


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read(tmp_path, idx, dtype, shape, packed):
    array = (np.random.default_rng(0).normal(size=shape) * 100).astype(dtype)
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    read = read_idx(path)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path, idx, packed):
    content = idx(np.arange(6, dtype=np.int16).reshape(2, 3))
    whole = gzip.compress(content) if packed else content
    path = tmp_path / ("a.gz" if packed else "a")
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=str(path)):
            read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 4 bytes, got 0"),
        (b"\x1f\x8b\x08\x01", "bytes 0 and 1 of an IDX file are 0, got 31 and 139"),
        (b"\0\0\x0a\x01\0\0\0\0", "byte 2 of an IDX file names a type, got 0x0A"),
        (b"\0\0\x08\x02\0\0\0\1", "the header ends at byte 12, but the file at byte 8"),
        (b"\0\0\x08\x01\0\0\0\2a", r"elements of shape \(2,\) end at byte 10, but the file at byte 9"),
        (b"\0\0\x08\x01\0\0\0\2abc", r"elements of shape \(2,\) end at byte 10, but the file at byte 11"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "end at byte 18446744065119617037, but the file at byte 12"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / "a")


def test_a_flipped_bit_in_a_packed_file_is_noticed(tmp_path, idx):
    packed = bytearray(gzip.compress(idx(np.arange(200, dtype=np.int32))))
    packed[len(packed) // 2] ^= 1
    (tmp_path / "a.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"a\.gz is truncated or damaged"):
        read_idx(tmp_path / "a.gz")


def test_a_wrong_checksum_is_refused_before_anything_else(tmp_path, idx, md5):
    content = idx(np.arange(3, dtype=np.uint8))
    (tmp_path / "a").write_bytes(content)
    assert read_idx(tmp_path / "a", md5(content)).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"a must have the published MD5 0000, got \w{32} \(11 bytes\)"):
        read_idx(tmp_path / "a", "0000")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(MissingError, match=r"there is no file .*a$"):
        read_idx(tmp_path / "a")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="must be a file, got a folder"):
        read_idx(tmp_path)
