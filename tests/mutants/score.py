"""Plants bugs in a copy of the sources and tells which of them rehearsals find.

    python score.py --target DIRECTORY [--warm DIRECTORY]

What a rehearsal comes to without any bug is the yardstick: a bug is found when one of the commands below ends with another exit
code, or has to be given another number of times. The exit code is 1 when one is not found.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants import MUTANTS, Mutant

REPOSITORY = Path(__file__).resolve().parent.parent.parent
VARIABLE = "HOWSO_TESTS_MUTANT"

# What a cluster has only when it is asked for.
MORE = ["--set", "client.parallel=8"]

# Cheap ones first. Each is one rehearsal, or as many as there are calls.
COMMANDS = [
    ["up", "--profile", "large", *MORE],
    ["down", "--profile", "large", *MORE],
    *(["up", "--profile", "small", "--fault", f"{fault}@eks:CreateCluster"] for fault in ("answer-lost", "dies-after", "loses-journal")),
    ["up", "--profile", "small", "--fault", "tears-journal@eks:CreateNodegroup"],
    ["up", "--profile", "small", "--fault", "unfamiliar@eks:DescribeCluster#4"],
    # What is deleted after a death, and is still seen by the run after it.
    ["down", "--profile", "small", "--fault", "dies-after@ec2:DeleteRouteTable", "--fault", "out-of-date@ec2:DescribeRouteTables#2"],
    ["down", "--profile", "small", "--fault", "leaves-interface@every"],
    ["up", "--profile", "small", "--set", "journal=s3://journals-of-the-team/howso", "--fault", "answer-lost@s3:PutObject#9"],
    ["up", "--profile", "small", "--fault", "fails-later@every"],
    ["down", "--profile", "small", "--fault", "empty-page@every-kind-of-read"],
    *(["up", "--profile", "small", "--fault", f"{fault}@every-kind-of-read"] for fault in ("empty-page", "unavailable")),
    *(["up", "--profile", "small", "--fault", f"{fault}@every"] for fault in ("throttled", "answer-lost")),
    ["down", "--profile", "small", "--fault", "answer-lost@every"],
]


def plant(mutants: Iterable[Mutant], sources: Path) -> None:
    """Puts all of them into the sources, each to be chosen by the environment."""
    for mutant in mutants:
        path = sources / mutant.file
        text = path.read_text()
        count = text.count(mutant.original)
        if count != 1:
            raise SystemExit(f"{mutant.name}: its place is found {count} times in {mutant.file}")
        question = f'std::env::var_os("{VARIABLE}").is_some_and(|chosen| chosen == "{mutant.name}")'
        path.write_text(text.replace(mutant.original, mutant.mutated.replace("CHOSEN", question)))


def build(target: Path) -> Path:
    """The program with all mutants in it."""
    with tempfile.TemporaryDirectory() as directory:
        sources = Path(directory)
        for name in subprocess.run(["git", "ls-files"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines():
            if (REPOSITORY / name).is_file() and not name.startswith("docs/"):
                (sources / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, sources / name)
        plant(MUTANTS, sources)
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "howso-infra-cli", "--target-dir", str(target)]
        subprocess.run(command, cwd=sources, check=True)
    return target / "release" / "howso-infra"


def outcome(program: Path, arguments: list[str], mutant: str) -> tuple[int, str]:
    """The exit code, and how often the command was given."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": os.defpath, VARIABLE: mutant}
        command = [str(program), "rehearse", *arguments, "--output", "json"]
        try:
            done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            return -1, "no end"
    summaries = [json.loads(line) for line in done.stdout.splitlines() if '"type":"rehearsal' in line]
    given = [summary.get("done_by_repetitions", summary.get("repetitions")) for summary in summaries]
    return done.returncode, json.dumps(given)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path, required=True, help="where to build")
    parser.add_argument("--warm", type=Path, help="the release directory of another target directory, whose third-party crates are taken over")
    arguments = parser.parse_args()
    target = arguments.target.resolve()
    if arguments.warm and not (target / "release").exists():
        target.mkdir(parents=True, exist_ok=True)
        # A copy and no links: what cargo notes about a crate would be noted there as well.
        shutil.copytree(arguments.warm, target / "release")
    program = build(target)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yardstick = list(pool.map(lambda command: outcome(program, command, ""), COMMANDS))
        wrong = [" ".join(command) for command, (code, _) in zip(COMMANDS, yardstick, strict=True) if code != 0]
        if wrong:
            raise SystemExit(f"without any bug these do not end well: {wrong}")

        def find(name: str) -> bool:
            for command, expected in zip(COMMANDS, yardstick, strict=True):
                if outcome(program, command, name) != expected:
                    print(f"found   {name:50}  {' '.join(command)}", flush=True)
                    return True
            print(f"MISSED  {name}", flush=True)
            return False

        names = list(dict.fromkeys(mutant.name for mutant in MUTANTS))
        found = list(pool.map(find, names))
    score = sum(found)
    print(f"{score} of {len(names)} planted bugs are found")
    return 0 if score == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
