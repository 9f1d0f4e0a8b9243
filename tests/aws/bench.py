"""Measures the program against ministack, beside Terraform where it is installed: time, memory and requests.

    python bench.py PATH-OF-howso-infra [ROUNDS]

Ratios and counts are what matters; seconds are those of this machine. Both tools talk to the same kind of server, started anew
for each. Requests are counted in a run of their own, through the recording proxy, which costs time.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import servers
from recording import Proxy

HERE = Path(__file__).resolve().parent
CLUSTER = ["--provider", "eks", "--region", "us-east-1", "--name", "bench", "--profile", "large"]
# The emulator answers at once: without these, most of the time would be our own polling interval.
WITHOUT_WAITING = {
    "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MIN": "5ms",
    "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "20ms",
    # The same on a machine that knows its address and on one that does not.
    "HOWSO_INFRA_KUBERNETES__API_ACCESS": "private",
}


@dataclass
class Measured:
    """One run of a program."""

    wall_secs: float
    cpu_secs: float
    memory_mib: float


def run(words: list[str], environment: dict[str, str], folder: str, codes: tuple[int, ...] = (0,)) -> Measured:
    """Runs a program to its end; its children count, too."""
    start = time.monotonic()
    process = subprocess.Popen(words, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peaks = [0.0]
    watcher = threading.Thread(target=watch_memory, args=(process.pid, peaks))
    watcher.start()
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_secs = time.monotonic() - start
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{message.decode()[-4000:]}")
    # The kernel counts this very process, of which the other was forked, so its figure says something only above that. It is the
    # one that knows of children.
    largest, own = usage.ru_maxrss / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(wall_secs, usage.ru_utime + usage.ru_stime, largest if largest > own else max(peaks))


def watch_memory(process_id: int, peaks: list[float]) -> None:
    """Notes the peak of a process's own memory (`VmHWM`, MiB) until it ends."""
    with contextlib.suppress(OSError):
        while True:
            found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text(), re.MULTILINE)
            if found is None:  # It has ended.
                return
            peaks.append(int(found[1]) / 1024)
            time.sleep(0.001)


def environment(endpoint: str, home: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        **WITHOUT_WAITING,
    }


def ours(binary: str, endpoint: str) -> dict[str, Measured]:
    with tempfile.TemporaryDirectory() as home:
        env = environment(endpoint, home)
        return {
            "up": run([binary, "up", *CLUSTER, "--until", "cloud", "--yes"], env, home),
            "no-op plan": run([binary, "plan", *CLUSTER, "--until", "cloud", "--detailed-exitcode"], env, home),
            "down": run([binary, "down", *CLUSTER, "--yes", "bench"], env, home),
        }


def terraform(endpoint: str) -> dict[str, Measured]:
    with tempfile.TemporaryDirectory() as home:
        shutil.copy(HERE / "terraform" / "main.tf", home)
        plugins = os.environ.get("TF_PLUGIN_DIR")
        env = environment(endpoint, home) | {"TF_IN_AUTOMATION": "1", "TF_VAR_endpoint": endpoint}
        env |= {name: os.environ[name] for name in ("TF_CLI_CONFIG_FILE",) if name in os.environ}
        run(["terraform", "init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else [])], env, home)
        return {
            "up": run(["terraform", "apply", "-auto-approve", "-input=false"], env, home),
            "no-op plan": run(["terraform", "plan", "-detailed-exitcode", "-input=false"], env, home),
            "down": run(["terraform", "destroy", "-auto-approve", "-input=false"], env, home),
        }


def count(binary: str) -> dict[str, tuple[int, int]]:
    """Requests and mutating requests of each command."""
    counts = {}
    with servers.Ministack() as server, Proxy(server.endpoint) as proxy, tempfile.TemporaryDirectory() as home:
        env = environment(proxy.endpoint, home)
        for name, words in {
            "up": ["up", *CLUSTER, "--until", "cloud", "--yes"],
            "no-op plan": ["plan", *CLUSTER, "--until", "cloud"],
            "down": ["down", *CLUSTER, "--yes", "bench"],
        }.items():
            proxy.reset()
            run([binary, *words], env, home)
            records = proxy.exchanges()
            counts[name] = (len(records), sum(record.mutating for record in records))
    return counts


def main(binary: str, rounds: int) -> None:
    binary = str(Path(binary).resolve())
    print(f"binary: {Path(binary).stat().st_size / 2**20:.1f} MiB")
    with tempfile.TemporaryDirectory() as home:
        starts = [run([binary, "--version"], {"HOME": home}, home).wall_secs for _ in range(20)]
    print(f"start-up (--version, median of 20): {statistics.median(starts) * 1000:.1f} ms")
    rows: dict[str, list[Measured]] = {}
    for _ in range(rounds):
        with servers.Ministack() as server:
            for name, measured in ours(binary, server.endpoint).items():
                rows.setdefault(name, []).append(measured)
    best = {name: min(runs, key=lambda run: run.wall_secs) for name, runs in rows.items()}
    requests = count(binary)
    other = {}
    if shutil.which("terraform"):
        with servers.Ministack() as server:
            other = terraform(server.endpoint)
    print("| command | ours: wall, CPU, memory | requests (mutating) | Terraform: wall, CPU, memory | ratio |")
    print("|---|---|---|---|---|")
    for name, mine in best.items():
        them = other.get(name)
        theirs = f"{them.wall_secs:.1f} s, {them.cpu_secs:.1f} s, {them.memory_mib:.0f} MiB" if them else "not installed"
        ratio = f"{them.wall_secs / mine.wall_secs:.0f} ×" if them else ""
        total, mutating = requests[name]
        print(f"| {name} | {mine.wall_secs:.2f} s, {mine.cpu_secs:.2f} s, {mine.memory_mib:.0f} MiB | {total} ({mutating}) | {theirs} | {ratio} |")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
