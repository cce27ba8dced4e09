"""The ARM cores that qemu can be, and what Linux says of each in `/proc/cpuinfo`.

Emulation takes a program's system calls to this computer's kernel, whose `/proc/cpuinfo` is another processor's: LiteRT and onnxruntime
read it, and crash or hang. The numbers here are those that qemu 7.2 gives a program (AT_HWCAP, AT_HWCAP2, MIDR_EL1), read from one that
ran there.
"""

from dataclasses import dataclass

ARMV8_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 "
    "sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
)
"""Names of the bits of AT_HWCAP, the lowest first (linux, arch/arm64/kernel/cpuinfo.c)."""

ARMV8_MORE = (
    "dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm bf16 dgh rng bti mte ecv "
    "afp rpres mte3 sme"
)
"""Likewise of AT_HWCAP2."""

ARMV7_FEATURES = (
    "swp half thumb 26bit fastmult fpa vfp edsp java iwmmxt crunch thumbee neon vfpv3 vfpv3d16 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
)
"""Of 32-bit ARM (linux, arch/arm/kernel/setup.c)."""

ARMV7_MORE = "aes pmull sha1 sha2 crc32"


@dataclass(frozen=True, slots=True)
class Core:
    """One core.

    Attributes:
        name: As qemu names it.
        part: Its number in MIDR_EL1, which tells libraries what it is.
        features: AT_HWCAP.
        more: AT_HWCAP2.
        maker: Its maker's number; 0x41 is ARM.
        bits: 64 or 32.
    """

    name: str
    part: int
    features: int
    more: int = 0
    maker: int = 0x41
    bits: int = 64

    @property
    def half(self) -> bool:
        """Whether it computes in half precision."""
        return "asimdhp" in self.words()

    def words(self) -> list[str]:
        """Its features by Linux's names."""
        names, more = (ARMV8_FEATURES, ARMV8_MORE) if self.bits == 64 else (ARMV7_FEATURES, ARMV7_MORE)
        return [*_set(names, self.features), *_set(more, self.more)]

    def cpuinfo(self, processors: int = 1) -> str:
        """What `/proc/cpuinfo` says on a computer with such cores."""
        words = " ".join(self.words())
        each = (
            f"BogoMIPS\t: 100.00\nFeatures\t: {words}\nCPU implementer\t: 0x{self.maker:02x}\n"
            f"CPU architecture: {8 if self.bits == 64 else 7}\nCPU variant\t: 0x0\nCPU part\t: 0x{self.part:03x}\nCPU revision\t: 0\n\n"
        )
        return "".join(f"processor\t: {i}\n{each}" for i in range(processors))


def _set(names: str, bits: int) -> list[str]:
    return [name for i, name in enumerate(names.split()) if bits >> i & 1]


def _table(*cores: Core) -> dict[str, Core]:
    return {core.name: core for core in cores}


ARMV8_CORES = _table(
    Core("cortex-a53", 0xD03, 0x8FB),
    Core("cortex-a72", 0xD08, 0x8FB),
    Core("cortex-a76", 0xD0B, 0x119FFB),
    Core("max", 0xD0C, 0xECFFFFFB, 0x7F877FFF),
    Core("cortex-a35", 0xD04, 0x8FB),
    Core("cortex-a57", 0xD07, 0x8FB),
    Core("neoverse-n1", 0xD0C, 0x119FFB),
)
"""Of Debian 12's qemu 7.2. "max" has every feature and is nobody's core: its own number, of maker 0, crashes onnxruntime, which looks it
up; so it says that it is a neoverse-n1.
"""

ARMV7_CORES = _table(
    Core("cortex-a15", 0xC0F, 0x1FB8D7, bits=32),
    Core("cortex-a7", 0xC07, 0x1FB8D7, bits=32),
    Core("cortex-a9", 0xC09, 0x8B8D7, bits=32),
)
