"""What an instruction is, by its word: the header that the plugin uses, compiled into a library, against words that an assembler wrote."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from exporter.cost.instructions import CLASSES
from tests.conftest import require
from tests.cost.tiny import COMPILER, PLUGIN

LIBRARY = """
#include "a64.h"
void describe(uint32_t word, unsigned *out) {
    struct a64_access access = {0, 0, false};
    out[0] = a64_class_of(word);
    if (out[0] == A64_LDST) access = a64_access_of(word);
    out[1] = access.loaded; out[2] = access.stored; out[3] = access.vector && access.loaded + access.stored; out[4] = a64_multiplies(word);
}
"""
TABLE = [line.split(" | ") for line in (Path(__file__).parent / "a64_words.txt").read_text().splitlines()[1:]]
ORDER = ("load_store", "branch", "simd_fp", "alu", "other")
"""Of `enum a64_class`."""


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if COMPILER is None:
        require("no C compiler is installed", "qemu")
    folder = tmp_path_factory.mktemp("a64")
    (folder / "a64.c").write_text(LIBRARY)
    words = [
        COMPILER,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        f"-I{PLUGIN}",
        "-o",
        folder / "a64.so",
        folder / "a64.c",
    ]
    subprocess.run(words, check=True)
    return ctypes.CDLL(str(folder / "a64.so"))


def describe(decoder: ctypes.CDLL, word: int) -> tuple[str, list[int]]:
    out = (ctypes.c_uint * 5)()
    decoder.describe(ctypes.c_uint32(word), out)
    return ORDER[out[0]], list(out[1:])


@pytest.mark.parametrize(("word", "instruction", "kind", "numbers"), TABLE, ids=[row[1] for row in TABLE])
def test_words(decoder, word, instruction, kind, numbers):
    assert describe(decoder, int(word, 16)) == (kind, [int(n) for n in numbers.split()])


def test_every_word_has_one_class(decoder):
    assert set(ORDER) == set(CLASSES)
    for word in range(0, 1 << 32, 7_654_321):
        assert describe(decoder, word)[0] in ORDER
