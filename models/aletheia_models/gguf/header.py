"""Reads the head of a GGUF file and refuses what native code should not see. Knows the layout, not the models in it.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, version, counts; metadata as typed key-value pairs;
name, shape, type and place of each tensor; then the tensors, each at a multiple of the alignment.
"""

import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from aletheia_plugins import ModelFileError

__all__ = ["Header", "Items", "Tensor", "read_header"]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
"""Unless general.alignment says otherwise."""
PAIRS, TENSORS, DIMENSIONS = 10_000, 100_000, 4
SHOWN = 60
"""Characters of a name in a message."""
KEY, TEXT, ITEMS, NESTED = 65_535, 4 << 20, 4_000_000, 2
"""Bytes of a name, bytes of a text (chat templates are the longest), items of an array, arrays within arrays."""
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
"""Types of values; those in NUMBERS with their letter for struct."""
BLOCKS = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 40), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
    12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66), 17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1), 25: ("i16", 1, 2), 26: ("i32", 1, 4), 27: ("i64", 1, 8), 28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56), 30: ("bf16", 1, 2), 34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17),
    40: ("nvfp4", 64, 36), 41: ("q1_0", 128, 18),
}  # fmt: skip
"""Types of tensors: name, values in a block, and its bytes."""


@dataclass(frozen=True, slots=True)
class Items:
    """An array that was passed over."""

    count: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` has the length of a row first."""

    shape: tuple[int, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Header:
    """`metadata`: an array is kept as how many `Items` it has."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, "Tensor"]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def types(self) -> Counter[str]:
        """How many tensors there are of each type."""
        return Counter(tensor.type for tensor in self.tensors.values())


class _Bad(Exception):
    """What is wrong, in a few words."""


class _Cursor:
    """Reads a file from the front and never beyond its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.place = data, 0

    def take(self, size: int, what: str) -> int:
        """The place of so many bytes, which are passed over."""
        place = self.place
        if size > len(self.data) - place:
            raise _Bad(f"{what} at byte {place:,} would end {size - (len(self.data) - place):,} bytes behind its end")
        self.place += size
        return place

    def number(self, letter: str, what: str) -> Any:
        form = struct.Struct("<" + letter)
        return form.unpack_from(self.data, self.take(form.size, what))[0]

    def count(self, most: int, what: str, letter: str = "Q") -> int:
        found = int(self.number(letter, what))
        if found > most:
            raise _Bad(f"it has {found:,} {what}, at most {most:,} are read")
        return found

    def text(self, most: int, what: str) -> str:
        size = self.count(most, f"bytes in {what}")
        place = self.take(size, what)
        try:
            return self.data[place : place + size].decode()
        except UnicodeDecodeError:
            raise _Bad(f"{what} at byte {place:,} is not UTF-8") from None

    def value(self, kind: int, key: str, depth: int = 0) -> Any:
        """A value; of an array, `Items`."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind], key)
        if kind == STRING:
            return self.text(TEXT, key)
        if kind != ARRAY:
            raise _Bad(f"{key} has a value of the unknown type {kind}")
        if depth == NESTED:
            raise _Bad(f"{key} has arrays within arrays within arrays")
        inner = self.number("I", key)
        items = self.count(ITEMS, f"items in {key}")
        if inner in NUMBERS:
            self.take(items * struct.calcsize("<" + NUMBERS[inner]), key)
        elif inner == STRING:
            size, item = f"bytes in an item of {key}", f"an item of {key}"
            for _ in range(items):
                self.take(self.count(TEXT, size), item)
        else:
            for _ in range(items):
                self.value(inner, key, depth + 1)
        return Items(items)


def _shown(name: str) -> str:
    """A name from the file as it can be printed."""
    return repr(name if len(name) <= SHOWN else name[:SHOWN] + "...")


def read_header(path: Path) -> Header:
    """The head of a GGUF file; no more of it is read. Raises ModelFileError with what is wrong with it."""
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise _Bad("it does not begin with GGUF")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _header(_Cursor(data))
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except _Bad as bad:
        raise ModelFileError(f"{path} is no GGUF file that can be used: {bad}. Get or export it anew.") from None


def _header(cursor: _Cursor) -> Header:
    cursor.take(4, "its magic")
    version = cursor.number("I", "its version")
    if version not in VERSIONS:
        raise _Bad(f"it has version {version}, 2 and 3 are read")
    tensors, pairs = cursor.count(TENSORS, "tensors"), cursor.count(PAIRS, "keys")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.text(KEY, "a key")
        if key in metadata:
            raise _Bad(f"it has {_shown(key)} twice")
        metadata[key] = cursor.value(cursor.number("I", _shown(key)), _shown(key))
    if metadata.get("split.count") not in (None, 0, 1):
        raise _Bad("it is a part of several, which have to be merged")
    return Header(metadata, _tensors(cursor, tensors, _alignment(metadata)))


def _alignment(metadata: Mapping[str, Any]) -> int:
    found = metadata.get("general.alignment", ALIGNMENT)
    if type(found) is not int or not 8 <= found <= 65_536 or found & (found - 1):
        raise _Bad(f"its general.alignment is {found!r}, expected a power of two from 8 to 65,536")
    return found


def _tensors(cursor: _Cursor, count: int, alignment: int) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    places: list[tuple[int, int, str]] = []
    for _ in range(count):
        name = cursor.text(KEY, "the name of a tensor")
        shown = _shown(name)
        if name in tensors:
            raise _Bad(f"it has the tensor {shown} twice")
        dimensions = cursor.count(DIMENSIONS, f"dimensions in {shown}", "I")
        shape = tuple([int(cursor.number("Q", shown)) for _ in range(dimensions)])
        kind, offset = cursor.number("I", shown), cursor.number("Q", shown)
        if kind not in BLOCKS:
            raise _Bad(f"the tensor {shown} has the unknown type {kind}")
        tensors[name] = Tensor(shape, BLOCKS[kind][0])
        if offset % alignment:
            raise _Bad(f"the tensor {shown} is at {offset:,}, expected a multiple of {alignment}")
        places.append((offset, _size(shown, shape, kind), shown))
    start, end = -(-cursor.place // alignment) * alignment, 0
    for first, size, name in sorted(places):
        if first < end:
            raise _Bad(f"the tensor {name} lies upon another")
        end = first + size
        if start + end > len(cursor.data):
            raise _Bad(f"the tensor {name} ends {start + end - len(cursor.data):,} bytes behind its end")
    return tensors


def _size(name: str, shape: tuple[int, ...], kind: int) -> int:
    """Bytes of a tensor."""
    _, values, size = BLOCKS[kind]
    if not shape or not all(shape) or shape[0] % values:
        raise _Bad(
            f"the tensor {name} has the shape {shape}, expected positive numbers, the first a multiple of {values}"
        )
    return prod(shape) // values * size
