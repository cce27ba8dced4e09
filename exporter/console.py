"""What a person sees while work goes on: progress and remarks on standard error. Results never come here.

Rich draws bars on a terminal and honours NO_COLOR; elsewhere (a log, a pipe) each stage is one plain line.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Tick = Callable[[int], None]
"""Told how much is done so far."""

Tell = Callable[[float, float, str], None]
"""Told the share that is done, the seconds that are left, and how it goes."""

SHOWN_EVERY_S = 30.0
"""Off a terminal, long work says a line so often."""

SHOWN_AFTER_S = 1.0
"""Off a terminal, a stage quicker than this is not worth a line."""


class Console:
    """One command's voice on standard error.

    Args:
        quiet: Says nothing but warnings.
        verbose: Says details too.
        terminal: Where to; standard error if None.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, terminal: Terminal | None = None) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.terminal = terminal or Terminal(stderr=True, highlight=False, markup=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A remark."""
        if not self.quiet:
            self.terminal.print(text)

    def detail(self, text: str) -> None:
        """A remark for those who asked for more words."""
        if self.verbose and not self.quiet:
            self.terminal.print(text, style="dim")

    def warn(self, text: str) -> None:
        """What a user must not miss; told even when quiet."""
        self.terminal.print(f"warning: {text}", style="yellow")

    @contextlib.contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Work of unknown length: a spinner with the time."""
        with self.progress(text, None):
            yield

    @contextlib.contextmanager
    def progress(self, text: str, total: int | None) -> Iterator[Tick]:
        """Work of `total` steps: a bar. The block gets a function to tell the steps done."""
        if self.quiet:
            yield lambda done: None
        elif self.terminal.is_terminal:
            with self._bar(total) as bar:
                task = bar.add_task(text, total=total)
                yield lambda done: bar.update(task, completed=done)
        else:
            started = time.monotonic()
            yield lambda done: None
            seconds = time.monotonic() - started
            if seconds >= SHOWN_AFTER_S or self.verbose:
                self.terminal.print(f"{text}: {seconds:.1f} s")

    @contextlib.contextmanager
    def share(self, text: str) -> Iterator[Tell]:
        """Long work that knows its end: a bar with the time left, or a line now and then."""
        if self.quiet:
            yield lambda done, left_s, words: None
        elif self.terminal.is_terminal:
            with self._bar(None) as bar:
                task = bar.add_task(text, total=None)
                yield lambda done, left_s, words: bar.update(task, description=_line(text, done, left_s, words))
        else:
            last = [time.monotonic()]

            def tell(done: float, left_s: float, words: str) -> None:
                if time.monotonic() - last[0] >= SHOWN_EVERY_S:
                    last[0] = time.monotonic()
                    self.terminal.print(_line(text, done, left_s, words))

            yield tell

    def _bar(self, total: int | None) -> Progress:
        count = [] if total is None else [BarColumn(), MofNCompleteColumn()]
        left = [] if total is None else [TextColumn("left"), TimeRemainingColumn()]
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *count,
            TimeElapsedColumn(),
            *left,
            console=self.terminal,
            transient=not self.verbose,
        )


def _line(text: str, done: float, left_s: float, words: str) -> str:
    left = "" if math.isinf(left_s) else f", {int(left_s // 60)}:{int(left_s % 60):02d} left"
    return f"{text}: {done:.0%}{left}; {words}"
