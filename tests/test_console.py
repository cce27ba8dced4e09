import io

import pytest
from rich.console import Console as Terminal

from exporter.console import Console


def told(console: Console, text: io.StringIO) -> str:
    console.say("a remark")
    console.detail("a detail")
    console.warn("take [care]")
    return text.getvalue()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "a remark\nwarning: take [care]\n"),
        ({"verbose": True}, "a remark\na detail\nwarning: take [care]\n"),
        ({"quiet": True}, "warning: take [care]\n"),
    ],
)
def test_words(settings: dict[str, bool], wanted: str) -> None:
    text = io.StringIO()
    assert told(Console(terminal=Terminal(file=text, markup=False, highlight=False), **settings), text) == wanted


def test_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Console().say("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = io.StringIO()
    Console(terminal=Terminal(file=text, force_terminal=True, markup=False)).warn("x")
    assert "\x1b[3" not in text.getvalue()  # no colour codes


def test_off_a_terminal_a_stage_is_one_line() -> None:
    text = io.StringIO()
    console = Console(verbose=True, terminal=Terminal(file=text))
    with console.progress("counting", 3) as tick:
        tick(3)
    assert text.getvalue() == "counting: 0.0 s\n"


def test_a_bar_on_a_terminal() -> None:
    text = io.StringIO()
    console = Console(terminal=Terminal(file=text, force_terminal=True, width=80))
    with console.progress("counting", 3) as tick:
        tick(3)
    assert "counting" in text.getvalue()
    assert "3/3" in text.getvalue()


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(quiet=True).stage("working"):
        pass
    assert capsys.readouterr().err == ""
