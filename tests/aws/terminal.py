"""A terminal for a program: a pseudo-terminal whose output is kept as it was written and drawn on a screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

import pyte

HISTORY_LINES = 5_000
STEP_SECS = 0.02

# Colours and other looks; the codes that move the cursor end in other letters.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ESCAPE = "\x1b"


class Terminal:
    """A program on a terminal: standard input, output and error, except those that `options` sends elsewhere."""

    def __init__(self, program: list[str], columns: int = 120, lines: int = 40, **options: Any) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=HISTORY_LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.lock = threading.Lock()
        self.primary, secondary = pty.openpty()
        self._set_size(columns, lines)
        streams = {"stdin": secondary, "stdout": secondary, "stderr": secondary, **options}
        # A session of its own whose controlling terminal is this one, so that Ctrl-C typed here is an interrupt.
        self.process = subprocess.Popen(
            program, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(secondary, termios.TIOCSCTTY, 0), **streams
        )
        os.close(secondary)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.primary, 1 << 16)
            except OSError:  # Linux's way to say that the other side is closed.
                return
            if not data:
                return
            with self.lock:
                self.raw += data
                self.stream.feed(data)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.primary, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """The user drags the corner of the window: the kernel sends SIGWINCH."""
        with self.lock:
            self._set_size(columns, lines)
            self.screen.resize(lines, columns)

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.primary)[3] & termios.ECHO)

    def type(self, text: str) -> None:
        os.write(self.primary, text.encode())

    def shown(self) -> str:
        """What is on the screen now."""
        with self.lock:
            return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def everything(self) -> str:
        """What scrolled away, and what is on the screen now."""
        with self.lock:
            gone = ["".join(line[column].data for column in range(self.screen.columns)).rstrip() for line in self.screen.history.top]
            return "\n".join([*gone, *(line.rstrip() for line in self.screen.display)]).rstrip()

    def written(self) -> str:
        with self.lock:
            return self.raw.decode("utf-8", "replace")

    def wait_for(self, wanted: str | Callable[[str], bool], timeout: float = 60.0) -> str:
        """Waits until the screen shows a pattern, and returns it."""
        is_there = wanted if callable(wanted) else lambda text: re.search(wanted, text) is not None
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            text = self.shown()
            if is_there(text):
                return text
            if self.process.poll() is not None:
                self.reader.join(5)
                text = self.shown()
                assert is_there(text), f"the program ended with {self.process.returncode} before {wanted!r} was shown:\n{self.everything()}"
                return text
            time.sleep(STEP_SECS)
        raise AssertionError(f"{wanted!r} was not shown within {timeout} s:\n{self.everything()}")

    def end(self, timeout: float = 120.0) -> int:
        """Waits for the program, and returns its exit code."""
        code = self.process.wait(timeout)
        self.reader.join(5)
        assert "panicked" not in self.written(), self.everything()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.reader.join(5)
        os.close(self.primary)
