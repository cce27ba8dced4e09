"""ncnn's program makes no system call that Android's filter for apps kills a process for."""

import re
import subprocess
from pathlib import Path

import pytest

from exporter.bundle import Bundle
from exporter.devices.native import Runner
from tests.android.conftest import needed

CALLS = """
    brk clock_getres clock_gettime clock_nanosleep clone close dup dup3 epoll_create1 epoll_ctl epoll_pwait eventfd2 execve exit exit_group
    faccessat fadvise64 fallocate fcntl fdatasync flock fstat fstatfs fsync ftruncate futex getcpu getcwd getdents64 getegid geteuid getgid
    getpid getppid getpriority getrandom getrlimit getrusage gettid gettimeofday getuid ioctl kill lseek madvise mincore mkdirat mlock mmap
    mprotect mremap msync munlock munmap nanosleep newfstatat openat pipe2 ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev
    read readahead readlinkat readv renameat restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
    rt_sigtimedwait sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min sched_setaffinity
    sched_yield sendfile set_tid_address setitimer setpriority sigaltstack statfs sysinfo tgkill timerfd_create timerfd_settime times tkill
    umask uname unlinkat utimensat wait4 waitid write writev
"""
"""Calls without sockets and users that apps may make on arm64 in every release from Android 8 on: in both the filter of 8
(bionic, libc/seccomp/arm64_policy.cpp) and the later ones for apps (arm64_app_policy.cpp; SYSCALLS.TXT less SECCOMP_BLOCKLIST_APP.TXT,
with SECCOMP_ALLOWLIST_COMMON.TXT and _APP.TXT)."""

ALLOWED = frozenset(CALLS.split())


def refused(qemu: Path, runner: Runner, bundle: Bundle, folder: Path, *words: str) -> set[str]:
    """Calls that Android would kill it for, by name or number."""
    param, weights = (bundle.path / name for name in bundle.manifest["artifact"]["files"])
    command = [qemu, "-strace", "-cpu", "cortex-a53", runner.path, "--param", param, "--bin", weights, "--input", "in0=1,28,28",
               "--runs", "1", "--warmup", "0", "--out", f"out0={folder / 'out'}", *words]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    made = set(re.findall(r"^(?:\d+ )?(?:Unknown syscall )?(\w+)(?:\(|$)", ran.stderr, re.MULTILINE))
    assert {"openat", "mmap", "clock_gettime"} <= made
    return made - ALLOWED


@pytest.mark.parametrize("threads", ["1", "4"])
def test_it_would_live_in_an_app(native_runner: Runner, app_bundles: list[Bundle], tmp_path: Path, threads: str) -> None:
    ncnn = next(b for b in app_bundles if b.path.name.endswith("ncnn-arm64"))
    assert refused(needed("qemu-aarch64"), native_runner, ncnn, tmp_path, "--threads", threads, "--cores", "big") == set()


def test_what_counting_marks_with_would_end_it(native_runner: Runner, app_bundles: list[Bundle], tmp_path: Path) -> None:
    ncnn = next(b for b in app_bundles if b.path.name.endswith("ncnn-arm64"))
    assert refused(needed("qemu-aarch64"), native_runner, ncnn, tmp_path, "--marks") == {"28024"}
