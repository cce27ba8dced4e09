"""The plugin on programs whose instructions were counted by hand."""

import shutil
from pathlib import Path

import pytest

from exporter.cost.emulate import Machine, machine
from exporter.cost.instructions import WHOLE, Counts
from exporter.cost.plugin import emulator, plugin
from exporter.devices.platforms import ARM64, ARMV7
from exporter.errors import EngineError, ToolError, UsageError
from exporter.store import Store
from tests.cost.tiny import BASE, SVC, loop, mark, mark32, mov, program, program32

FMUL, LDR, STP, LDP = 0x6E22DC20, 0xF94003E3, 0xA9BF07E0, 0xA8C107E0
"""fmul v0.4s, v1.4s, v2.4s; ldr x3, [sp]; stp x0, x1, [sp, #-16]!; ldp x0, x1, [sp], #16."""

LIMIT_S = 60.0


@pytest.fixture
def cpu(qemu: None) -> Machine:
    with Store() as store:
        return machine(store, ARM64, "cortex-a53")


def test_a_loop_within_a_layer_within_an_inference(cpu, tmp_path):
    work = loop(1000, [FMUL, LDR, STP, LDP])
    words = [*mark(1, WHOLE), *mark(1, 0), *work, *mark(2, 0), *mark(2, WHOLE)]
    layer, whole = cpu.run([program(words, tmp_path / "tiny")], timeout_s=LIMIT_S, what="tiny")[0]
    assert (layer.layer, layer.depth, layer.threads) == (0, 1, 1)
    assert (whole.layer, whole.depth) == (WHOLE, 0)
    inner = Counts(
        total=6005, load_store=3000, branch=1000, simd_fp=1000, alu=1004, other=1, loads=2000, stores=1000, multiplies=1000,
        bytes_loaded=24000, bytes_stored=16000,
    )  # fmt: skip
    assert layer.counts == inner  # the loop, the move before it, and the four words of the mark that ends it
    assert whole.counts == inner + Counts(total=8, alu=6, other=2)


def test_counts_are_the_same_in_every_process(cpu, tmp_path):
    tiny = program([*mark(1, 3), *loop(60_000, [LDR]), *mark(2, 3)], tmp_path / "tiny")
    first, second = (cpu.run([tiny], timeout_s=LIMIT_S, what="tiny")[0] for _ in range(2))
    assert first == second
    assert first[0].counts.total == 3 * 60_000 + 1 + 4


def test_misses_of_a_cache_that_is_read_through(qemu, tmp_path):
    """1024 lines of 64 bytes, three times: each is missed every time by a cache of 512 lines, once by one of 8192."""
    read = [0xF9400083, 0x91010084]  # ldr x3, [x4]; add x4, x4, #64
    space = 0x10000 // 64
    rounds = [word for _ in range(3) for word in (0xD2A00804, *loop(space, read))]  # movz x4, #0x40, lsl #16: where the program lies
    words = [*mark(1, 0), *rounds, *mark(2, 0)]
    with Store() as store:
        cpu = machine(store, ARM64, "cortex-a53", caches=True)
        tiny = program(words, tmp_path / "tiny", space=0x10000)
        (region,) = cpu.run([tiny], timeout_s=LIMIT_S, what="tiny")[0]
    assert BASE == 0x40 << 16
    assert region.counts.loads == 3 * space
    assert region.counts.l1_misses == 3 * space
    assert region.counts.l2_misses == space


def test_32_bit_arm_has_totals_alone(qemu, tmp_path):
    words = [*mark32(1, 2), 0xE3A02064, 0xE2522001, 0x1AFFFFFD, *mark32(2, 2)]  # mov r2, #100; subs r2, r2, #1; bne
    with Store() as store:
        (region,) = machine(store, ARMV7, "cortex-a15").run([program32(words, tmp_path / "tiny")], timeout_s=LIMIT_S, what="tiny")[0]
    assert (region.layer, region.counts) == (2, Counts(total=1 + 200 + 4))


def test_marks_that_do_not_pair_are_a_defect(cpu, tmp_path):
    tiny = program([*mark(1, 0), *mark(2, 1), *mark(2, 0)], tmp_path / "tiny")
    with pytest.raises(EngineError, match="1 marks of the emulated program do not pair"):
        cpu.run([tiny], timeout_s=LIMIT_S, what="tiny")


def test_a_program_without_marks_counts_nothing(cpu, tmp_path):
    with pytest.raises(EngineError, match="tiny: nothing was counted"):
        cpu.run([program([], tmp_path / "tiny")], timeout_s=LIMIT_S, what="tiny")


def test_a_crash_is_told(cpu, tmp_path):
    tiny = program([*mark(1, 0), 0x00000000], tmp_path / "tiny")  # udf #0
    with pytest.raises(EngineError, match=r"tiny on an emulated cortex-a53: (killed by SIGILL|exit code 132)"):
        cpu.run([tiny], timeout_s=LIMIT_S, what="tiny")


def test_a_program_that_goes_on_for_ever_is_stopped(cpu, tmp_path):
    tiny = program([*mark(1, 0), 0x14000000], tmp_path / "tiny")  # b .
    with pytest.raises(EngineError, match="not done within 2 s, stopped"):
        cpu.run([tiny], timeout_s=2.0, what="tiny")


def test_the_core_is_the_one_asked_for(qemu, tmp_path):
    """The program ends with its core's part number, from MIDR_EL1, as its exit code."""
    words = [*mark(1, 0), *mark(2, 0), 0xD5380000, 0xD344FC00, 0x92401C00, mov(8, 93), SVC]  # mrs x0, midr_el1; lsr #4; and #0xff
    tiny = program(words, tmp_path / "tiny")
    with Store() as store:
        for core, part in (("cortex-a53", 0x03), ("cortex-a76", 0x0B)):
            with pytest.raises(EngineError, match=rf"exit code {part}\b"):
                machine(store, ARM64, core).run([tiny], timeout_s=LIMIT_S, what="tiny")


def test_unknown_cores_are_refused(qemu):
    with Store() as store, pytest.raises(UsageError, match="unknown arm64 core: cortex-a54"):
        machine(store, ARM64, "cortex-a54")


def test_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with Store(tmp_path / "cache") as store, pytest.raises(ToolError, match="no C compiler") as problem:
        plugin(store)
    assert problem.value.hint == "apt-get install gcc libc6-dev"


def test_without_qemu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="qemu-aarch64 is not installed"):
        emulator(ARM64)


def test_a_static_qemu_takes_no_plugins(monkeypatch, tmp_path):
    static = tmp_path / "qemu-aarch64"
    static.write_text(f"#!{shutil.which('sh')}\necho 'usage: qemu-aarch64 [options] program'\n")  # what -h of qemu-user-static lacks
    static.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="takes no plugins"):
        emulator(ARM64)


def test_a_built_plugin_is_kept(qemu, tmp_path):
    with Store(tmp_path) as store:
        first = plugin(store)
        written = first.path.stat().st_mtime_ns
    with Store(tmp_path) as store:
        assert plugin(store) == first
    assert Path(first.path).stat().st_mtime_ns == written
