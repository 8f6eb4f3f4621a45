"""The head of a GGUF file: what a file may say before native code sees it."""

import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from aletheia_models.gguf.header import Items, Tensor, read_header
from aletheia_plugins import ModelFileError

U32, F32, BOOL, STRING, ARRAY, U64 = 4, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, *items: bytes) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


PAIRS = [
    pair("general.architecture", STRING, text("llama")),
    pair("llama.block_count", U32, struct.pack("<I", 2)),
    pair("tokens", ARRAY, array(STRING, *map(text, ["a", "bc", "def"] * 20))),
    pair("scores", ARRAY, array(F32, struct.pack("<f", 1), struct.pack("<f", 2))),
    pair("nested", ARRAY, array(ARRAY, array(U32, struct.pack("<I", 1)))),
    pair("flag", BOOL, b"\1"),
]
TENSORS = [tensor("a", (32, 4), 0, 0), tensor("b", (64, 3), 8, 512)]
"""4 rows of 32 in f32, and 3 rows of 64 in q8_0: 512 and 204 bytes."""


def head(pairs=PAIRS, tensors=TENSORS, *, magic=b"GGUF", version=3, counts=None) -> bytes:
    counted = counts or (len(tensors), len(pairs))
    data = magic + struct.pack("<IQQ", version, *counted) + b"".join(pairs) + b"".join(tensors)
    return data + b"\0" * (-len(data) % 32)


WHOLE = head() + b"\0" * (512 + 204)


@pytest.fixture
def write(tmp_path):
    def make(data: bytes) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return path

    return make


def test_a_sound_file_is_read(write):
    header = read_header(write(WHOLE))
    assert header.architecture == "llama"
    assert header.metadata["llama.block_count"] == 2
    assert header.metadata["tokens"] == Items(60)
    assert header.metadata["flag"] is True
    assert header.tensors == {"a": Tensor((32, 4), "f32"), "b": Tensor((64, 3), "q8_0")}


def test_a_real_writer_writes_what_is_read(tmp_path):
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_block_count(2)
    writer.add_tensor("t", numpy.zeros((3, 64), numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert read_header(tmp_path / "a.gguf").tensors == {"t": Tensor((64, 3), "f16")}


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "it does not begin with GGUF"),
        (head(magic=b"GGML"), "it does not begin with GGUF"),
        (b"GGUF\3\0\0", "its version at byte 4 would end 1 bytes behind its end"),
        (head(version=1), "it has version 1, 2 and 3 are read"),
        (head(counts=(2**40, 6)), "it has 1,099,511,627,776 tensors, at most 100,000 are read"),
        (head(counts=(2, 2**63)), "it has 9,223,372,036,854,775,808 keys, at most 10,000 are read"),
        (head([pair("k", STRING, struct.pack("<Q", 2**62))]), "4,611,686,018,427,387,904 bytes in 'k', at most"),
        (head([pair("k", ARRAY, struct.pack("<IQ", U32, 2**50))]), "1,125,899,906,842,624 items in 'k', at most"),
        (head([pair("k", ARRAY, struct.pack("<IQ", U64, 10**6))]), "'k' at byte 49 would end 7,999,889 bytes"),
        (head([pair("k", 99, b"")]), "'k' has a value of the unknown type 99"),
        (head([pair("k", BOOL, b"\1")] * 2), "it has 'k' twice"),
        (
            head([pair("k", ARRAY, array(ARRAY, array(ARRAY, array(U32))))]),
            "'k' has arrays within arrays within arrays",
        ),
        (head([text("\ud7ff").replace(b"\xed", b"\xff") + b"\0" * 8]), "is not UTF-8"),
        (head([pair("general.alignment", U32, struct.pack("<I", 3))]), "its general.alignment is 3, expected a power"),
        (head([pair("general.alignment", U32, struct.pack("<I", 0))]), "its general.alignment is 0, expected a power"),
        (head(tensors=[tensor("a", (32, 4), 99, 0)]), "the tensor 'a' has the unknown type 99"),
        (head(tensors=[tensor("a", (1,) * 5, 0, 0)]), "it has 5 dimensions in 'a', at most 4 are read"),
        (head(tensors=[tensor("a", (32, 0), 0, 0)]), "the tensor 'a' has the shape (32, 0), expected positive numbers"),
        (head(tensors=[tensor("a", (33,), 8, 0)]), "has the shape (33,), expected positive numbers, the first a mult"),
        (head(tensors=[tensor("a", (32,), 0, 16)]), "the tensor 'a' is at 16, expected a multiple of 32"),
        (head(tensors=[tensor("a", (32,), 0, 0)] * 2), "it has the tensor 'a' twice"),
        (head(tensors=[tensor(n, (32,), 0, 0) for n in "ab"]) + b"\0" * 128, "the tensor 'b' lies upon another"),
        (head(tensors=[tensor("a", (2**62, 2**62), 0, 0)]), "the tensor 'a' ends 85,070,"),
        (
            head([pair("general.alignment", ARRAY, array(BOOL, *[b"\1"] * 64))]),
            "its general.alignment is Items(count=64)",
        ),
        (head([pair("split.count", U32, struct.pack("<I", 3))]), "it is a part of several, which have to be merged"),
        (head([pair("\n\x1b[31m" * 999, 99, b"")]), r"'\n\x1b[31m\n\x1b[31m"),
        (WHOLE[:-1], "the tensor 'b' ends 1 bytes behind its end"),
    ],
)
def test_what_is_wrong_is_said(write, data, wrong):
    path = write(data)
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path} is no GGUF file that can be used: ")
    assert wrong in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read: No such file or directory"):
        read_header(tmp_path / "none.gguf")


def mutated(random: random.Random) -> bytes:
    """A file with one or a few things wrong, mostly in its head."""
    data, size = bytearray(WHOLE), len(head())
    match random.randrange(4):
        case 0:
            del data[random.randrange(len(data)) :]
        case 1:
            for _ in range(random.randrange(1, 4)):
                data[random.randrange(size)] = random.randrange(256)
        case 2:
            place = random.randrange(size - 8)
            number = random.choice([2**64 - 1, 2**63, 2**40, 2**32, 2**31 - 1, 10_000, 0])
            data[place : place + 8] = number.to_bytes(8, "little")
        case _:
            place = random.randrange(size)
            data[place : place + random.randrange(30)] = random.randbytes(random.randrange(30))
    return bytes(data)


@pytest.mark.parametrize("count", [2_000, pytest.param(200_000, marks=pytest.mark.heavy)])
def test_a_mutated_head_is_read_or_refused_quickly_and_in_little_memory(write, count):
    numbers = random.Random(count)
    refused, slowest, largest = 0, 0.0, 0
    for number in range(count):
        path = write(mutated(numbers))
        if traced := number % 10 == 0:  # tracing makes it several times slower
            tracemalloc.start()
        began = time.process_time()
        try:
            read_header(path)
        except ModelFileError:
            refused += 1
        if traced:
            largest = max(largest, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            slowest = max(slowest, time.process_time() - began)
    assert refused > count // 2
    assert slowest < 0.020
    assert largest < 64 << 20
