import logging
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from exporter import shell
from exporter.errors import DeviceError, EngineError, ToolError

PYTHON = sys.executable


def test_output_and_input(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "exporter.shell"):
        ran = shell.run(
            [PYTHON, "-c", "import os; print(input(), os.getcwd(), os.environ['A'])"], stdin="hi\n", cwd=tmp_path, env={"A": "b"}
        )
    assert ran.stdout.split() == ["hi", str(tmp_path), "b"]
    assert ran.code == 0
    assert "run: " in caplog.text


def test_failure_shows_the_last_lines() -> None:
    program = "import sys\nfor i in range(50): print('line', i, file=sys.stderr)\nsys.exit(3)"
    with pytest.raises(EngineError, match=r"exit code 3; it last wrote: line 42 \|.*line 49") as caught:
        shell.run([PYTHON, "-c", program])
    assert caught.value.hint


def test_failure_can_be_looked_at() -> None:
    assert shell.run([PYTHON, "-c", "raise SystemExit(4)"], check=False).code == 4


def test_signal_is_named() -> None:
    with pytest.raises(DeviceError, match="killed by SIGSEGV"):
        shell.run([PYTHON, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], error=DeviceError)


def test_time_limit_ends_children_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(EngineError, match=r"not done within 1 s, stopped; it last wrote: begun"):
        shell.run(["sh", "-c", f"echo begun >&2; sleep 60 & echo $! > {pid}; wait"], timeout_s=1)
    assert time.monotonic() - started < 20
    time.sleep(0.2)
    assert not _running(int(pid.read_text()))


def _running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_missing_program() -> None:
    with pytest.raises(ToolError, match="no-such-program is not installed"):
        shell.run(["no-such-program"])


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not exist"):
        shell.run([PYTHON, "-c", ""], cwd=tmp_path / "none")


def test_not_a_program(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello")
    with pytest.raises(ToolError, match="cannot be run"):
        shell.run([path])


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = textwrap.dedent(f"""
        from exporter import shell
        shell.run(["sh", "-c", "echo $$ > {pid}; sleep 60"])
    """)
    ours = subprocess.Popen([PYTHON, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # until run() waits for its program
    ours.send_signal(signal.SIGINT)
    assert ours.wait(20) != 0
    assert not _running(int(pid.read_text()))


def test_a_companion_goes_on_until_we_let_go() -> None:
    program = "print('ready', flush=True); import sys; sys.stdin.read(); print('the end', file=sys.stderr); sys.exit(5)"
    with shell.companion([PYTHON, "-c", program]) as companion:
        assert companion.line(20.0) == "ready\n"
        assert companion.line(0.1) is None
        assert companion.let_go(20.0) == (5, "", "the end\n")


def test_a_companion_that_does_not_end_is_stopped() -> None:
    with shell.companion([PYTHON, "-c", "import time; time.sleep(60)"]) as companion:
        assert companion.let_go(0.2)[0] is None


def test_a_companion_ends_with_its_block() -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    seen: list[Path] = []

    def interrupted() -> None:
        with shell.companion([PYTHON, "-c", program]) as companion:
            seen.append(Path("/proc", str(companion.line(20.0)).strip()))
            assert seen[0].exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not seen[0].exists()
