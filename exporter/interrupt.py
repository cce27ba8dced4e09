"""What an interrupt must not split: an import, a folder or a process that is there before anybody has it in hand."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Interrupts wait until the block or the function ends, and are raised then; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def later(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handled = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]  # else not by Python
    before = {number: signal.signal(number, later) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)
