"""The two outputs of a container on one socket, as Docker mixes them: frames with a header of 8 bytes."""

import select
import struct
import time
from typing import Any

HEADER = struct.Struct(">BxxxL")
OUT = 1
CHUNK = 1 << 16
MOST_WORDS = 1 << 16
"""So much of the error stream is kept."""


class Stream:
    """Lines to and from a container.

    Attributes:
        words: The last that it wrote to standard error.
    """

    def __init__(self, attached: Any) -> None:
        """Take over an attached socket of the docker SDK, which hides it in a file for some engines."""
        self._attached = attached
        self._socket = getattr(attached, "_sock", attached)
        self._raw, self._out, self.words = b"", b"", b""

    def send(self, line: bytes) -> None:
        """Write.

        Raises:
            BrokenPipeError: If the container has ended.
        """
        try:
            self._socket.sendall(line)
        except OSError as problem:
            raise BrokenPipeError from problem

    def line(self, limit_s: float) -> bytes | None:
        """The next line; b"" at the end, None when the time is up."""
        ends = time.monotonic() + limit_s
        while b"\n" not in self._out:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                return None
            if not self._receive():
                return b""
        line, _, self._out = self._out.partition(b"\n")
        return line + b"\n"

    def drain(self, limit_s: float) -> None:
        """Read to the end what the container wrote last."""
        while select.select([self._socket], [], [], limit_s)[0] and self._receive():
            pass

    def _receive(self) -> bool:
        """Take what there is; False at the end."""
        try:
            got = self._socket.recv(CHUNK)
        except OSError:
            got = b""
        self._raw += got
        while len(self._raw) >= HEADER.size:
            kind, size = HEADER.unpack_from(self._raw)
            if len(self._raw) < HEADER.size + size:
                break
            content, self._raw = self._raw[HEADER.size : HEADER.size + size], self._raw[HEADER.size + size :]
            if kind == OUT:
                self._out += content
            else:
                self.words = (self.words + content)[-MOST_WORDS:]
        return bool(got)

    def close(self) -> None:
        """Let go; the container's standard input ends."""
        self._socket.close()
        self._attached.close()
