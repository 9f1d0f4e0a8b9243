"""The program that is tested, at an emulated account."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Program:
    """The program, with the emulated account and nothing else in its environment."""

    def __init__(self, endpoint: str, home: Path) -> None:
        self.environment = {
            "HOME": str(home),
            "PATH": os.defpath,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            # Time passes faster there than here.
            "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "1s",
            "HOWSO_INFRA_EKS__ADDRESS_SERVICE": f"{endpoint}/checkip",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [os.environ["HOWSO_TESTS_BIN"], *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=180)
