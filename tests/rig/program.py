"""The program under test, run in a hermetic environment: its own home, and nothing of the user's.

`HOWSO_TESTS_BIN` names the program.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

RUN_TIMEOUT_SECS = 120.0


@dataclass(frozen=True)
class Result:
    """How a run of the program ended."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def expect(self, *codes: int) -> Result:
        assert self.code in codes, f"{self}\nwanted exit code {' or '.join(map(str, codes))}"
        return self

    def __str__(self) -> str:
        return f"{' '.join(self.arguments)}\n-> exit code {self.code}\n--- stdout\n{self.stdout[-6000:]}\n--- stderr\n{self.stderr[-6000:]}"


@dataclass
class Program:
    """The program under test. What it finds in its environment is said by `variables`."""

    binary: str
    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "howso-infra"

    def variables(self) -> dict[str, str]:
        """What this kind of test adds to the environment."""
        return {}

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            **self.variables(),
            **self.settings,
            **(extra or {}),
        }

    def start(self, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen:
        process = subprocess.Popen(
            [self.binary, *arguments],
            env=self.environment(env),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            **options,
        )
        self.running.append(process)
        return process

    def finish(self, process: subprocess.Popen, arguments: tuple[str, ...] = (), timeout: float = RUN_TIMEOUT_SECS) -> Result:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            pytest.fail(f"{' '.join(arguments)} did not end in {timeout} s\n{stdout[-4000:]}\n{stderr[-8000:]}")
        self.running.remove(process)
        assert "panicked at" not in stderr, f"{' '.join(arguments)} panicked:\n{stderr[-8000:]}"
        return Result(arguments, process.returncode, stdout, stderr)

    def run(self, *arguments: str, env: dict[str, str] | None = None, timeout: float = RUN_TIMEOUT_SECS, **options: Any) -> Result:
        return self.finish(self.start(*arguments, env=env, **options), arguments, timeout)

    def configure(self, text: str) -> None:
        """Writes `howso-infra.toml` where the program looks for it."""
        (self.home / "howso-infra.toml").write_text(text)

    def forget(self) -> None:
        """Deletes everything local: state, kubeconfig, configuration."""
        shutil.rmtree(self.home)
        self.home.mkdir()

    def kill(self, process: subprocess.Popen) -> None:
        """SIGKILL, and the exit awaited: nothing of the program runs on."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self.running.remove(process)

    def stop_all(self) -> None:
        for process in list(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self.running.remove(process)


@pytest.fixture(scope="session")
def binary() -> str:
    path = os.environ.get("HOWSO_TESTS_BIN", "")
    if not path:
        pytest.fail("set HOWSO_TESTS_BIN to the howso-infra program to be tested", pytrace=False)
    if not os.access(path, os.X_OK):
        pytest.fail(f"HOWSO_TESTS_BIN names {path}, which cannot be executed", pytrace=False)
    return str(Path(path).resolve())
