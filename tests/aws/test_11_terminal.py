"""Line 11: what a person sees on a terminal, a log without one, and a program that reads JSON."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import CLUSTER, SPEC, Cli, Result, Rig
from snapshots import Compare, normalised, rendered
from terminal import COLOUR, ESCAPE, Terminal

UP = ("up", "--profile", "large", *SPEC, "--until", "cloud")
DOWN = ("down", "--profile", "large", *SPEC)
QUESTION = r"Carry out \d+ steps\? \[y/N\]"
A_BAR = r"eks/cluster:main is being created\s+\d+s of about \d+ min"
THE_BAR = r"\[[=> ]{30}\] \d+ of \d+ steps, \d+\w* so far, about [\d.]+ \w+.* to go"

# Long enough to be looked at.
SLOWLY = {"match": {"operation": "eks:CreateCluster"}, "kind": "delay", "seconds": 2.5}


Open = Callable[..., Terminal]


@pytest.fixture
def cli_for(cli_for: Any) -> Any:
    """Patient programs: the first call of a service takes a server long on a busy machine, and here that must not show."""
    return lambda rig, name="home", **settings: cli_for(rig, name, **{"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "60s"} | settings)


@pytest.fixture
def on_terminal() -> Iterator[Open]:
    """Starts the program on a terminal."""
    opened: list[Terminal] = []

    def start(cli: Cli, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> Terminal:
        environment = {"TERM": "xterm-256color", **cli.environment(env)}
        terminal = Terminal([cli.binary, *arguments], env=environment, cwd=cli.home, **options)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


# ---------------------------------------------------------------- on a terminal


def settled(text: str) -> list[str]:
    return re.findall(r"✓ (\S+ (?:created|changed)) in", text)


def check_nothing_is_left_of_the_bars(terminal: Terminal, steps: int) -> None:
    """Bars leave lines behind, each once, and nothing of themselves."""
    text = terminal.everything()
    assert "to go" not in text and "is being" not in text and "] " not in text.partition("✓")[2], text
    found = settled(text)
    assert len(found) == len(set(found)) == steps, text


def test_up_asks_shows_bars_and_leaves_lines(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, lines=60)
    asked = terminal.wait_for(QUESTION)
    assert "to create" in terminal.everything(), "nobody consents to the unseen"
    assert ministack.proxy.mutations() == []
    steps = int(re.search(r"Carry out (\d+) steps", asked)[1])
    terminal.type("y\n")
    # Bars are drawn one after the other, so that a look may come in between.
    seen = terminal.wait_for(lambda text: all(re.search(bar, text) for bar in (A_BAR, THE_BAR)))
    before = re.search(r"is being created\s+(\d+)s of", seen)[1]
    terminal.wait_for(lambda text: (now := re.search(r"cluster:main is being created\s+(\d+)s of", text)) is not None and now[1] != before)
    assert terminal.end() == 0, terminal.everything()
    check_nothing_is_left_of_the_bars(terminal, steps)
    assert COLOUR.search(terminal.written()), "a terminal gets colours"
    text = terminal.everything()
    assert f"✓ {CLUSTER} is as wanted after {steps} steps" in text
    assert "export KUBECONFIG=" in text


@pytest.mark.parametrize("answer", ["n\n", "\n", "no\n", "yess\n", "\x04"], ids=["no", "nothing", "no-in-full", "misspelt", "end-of-input"])
def test_up_changes_nothing_without_consent(cli: Cli, ministack: Rig, on_terminal: Open, answer: str) -> None:
    terminal = on_terminal(cli, *UP)
    terminal.wait_for(QUESTION)
    terminal.type(answer)
    assert terminal.end() == 1, terminal.everything()
    assert "error: " in terminal.shown()
    assert ministack.proxy.mutations() == []


def test_an_interrupt_at_the_question_changes_nothing(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    terminal = on_terminal(cli, *UP)
    terminal.wait_for(QUESTION)
    terminal.type("\x03")
    assert terminal.end() == 130, terminal.everything()
    assert ministack.proxy.mutations() == []


def test_an_interrupt_under_the_bars_is_told_and_resumable(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes")
    terminal.wait_for(A_BAR)
    terminal.type("\x03")
    terminal.wait_for("interrupting: nothing new is started")
    assert terminal.end() == 130, terminal.everything()
    assert "run `howso-infra up` again to resume" in terminal.shown()
    assert "is being" not in terminal.shown() and "to go" not in terminal.shown(), "bars are left behind"
    assert terminal.echoes(), "what is typed next would not be seen"


def test_keys_under_the_bars_leave_no_trace(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes")
    terminal.wait_for(A_BAR)
    assert not terminal.echoes()
    for _ in range(5):
        terminal.type("\n")
        terminal.type("y")
    assert terminal.end() == 0, terminal.everything()
    assert "is being" not in terminal.everything() and "to go" not in terminal.everything(), terminal.everything()
    assert terminal.echoes()


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_gives_the_echo_back(cli: Cli, ministack: Rig, on_terminal: Open, blow: int) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes")
    terminal.wait_for(A_BAR)
    terminal.process.send_signal(blow)
    assert terminal.end() == 130, terminal.everything()
    assert terminal.echoes()


def test_down_wants_the_name_typed(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    cli.up().expect(0)
    ministack.proxy.reset()
    for answer in ("y\n", "Demo\n", "\n"):
        terminal = on_terminal(cli, *DOWN)
        terminal.wait_for(rf"Type the name of the cluster \({CLUSTER}\) to remove it:")
        terminal.type(answer)
        assert terminal.end() == 1, terminal.everything()
        assert "not confirmed, so nothing was changed" in terminal.shown()
    assert ministack.proxy.mutations() == []
    terminal = on_terminal(cli, *DOWN)
    terminal.wait_for("Type the name")
    terminal.type(f"{CLUSTER}\n")
    assert terminal.end() == 0, terminal.everything()
    assert ministack.client("eks").list_clusters()["clusters"] == []
    assert re.search(rf"✓ {CLUSTER} is gone after \d+ steps, nothing is left", terminal.everything())


@pytest.mark.parametrize(("columns", "lines"), [(40, 24), (20, 10), (200, 60)])
def test_bars_fit_terminals_of_every_size(cli: Cli, ministack: Rig, on_terminal: Open, columns: int, lines: int) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes", columns=columns, lines=lines)
    terminal.wait_for("eks/cluster:main")
    assert terminal.end() == 0, terminal.everything()
    joined = terminal.everything().replace("\n", "")
    # Lines wrap on a narrow terminal; joined again, there is one of each step and one of the end, and no bar.
    steps = int(re.search(r"after\s*(\d+)\s*steps", joined)[1])
    assert joined.count("✓") == steps + 1, terminal.everything()
    assert "to go" not in joined and "is being" not in joined, terminal.everything()


def test_a_window_that_changes_its_size_does_not_break_the_bars(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes", columns=120, lines=40)
    terminal.wait_for(A_BAR)
    for columns, lines in ((40, 20), (200, 60), (80, 24)):
        terminal.resize(columns, lines)
        terminal.wait_for("eks/cluster:main")
    assert terminal.end() == 0, terminal.everything()
    assert f"{CLUSTER} is as wanted" in terminal.everything()


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(
    ("env", "more", "moves"),
    [
        ({"NO_COLOR": "1"}, (), True),
        ({}, ("--color", "never"), True),
        ({"TERM": "dumb"}, (), False),
        ({}, ("--output", "plain"), False),
        ({"TERM": "dumb", "NO_COLOR": "1"}, ("-v",), False),
    ],
    ids=["no-color", "color-never", "dumb", "plain", "dumb-and-verbose"],
)
def test_a_terminal_gets_only_the_codes_that_it_wants(
    cli: Cli, ministack: Rig, on_terminal: Open, env: dict[str, str], more: tuple[str, ...], moves: bool
) -> None:
    ministack.proxy.arm(SLOWLY | {"seconds": 0.5})
    terminal = on_terminal(cli, *UP, "--yes", *more, env=env)
    assert terminal.end() == 0, terminal.everything()
    written = terminal.written()
    assert not COLOUR.search(written), COLOUR.findall(written)[:5]
    assert (ESCAPE in written) is moves


@pytest.mark.parametrize("verb", ["plan", "up", "down"])
def test_what_is_no_terminal_gets_no_codes(cli: Cli, verb: str) -> None:
    arguments = {"plan": ("plan", *UP[1:]), "up": (*UP, "--yes"), "down": (*DOWN, "--yes", CLUSTER)}[verb]
    result = cli.run(*arguments, env={"TERM": "xterm-256color"}).expect(0)
    assert ESCAPE not in result.stdout + result.stderr
    assert "\r" not in result.stdout + result.stderr


def test_colour_can_be_forced_where_there_is_no_terminal(cli: Cli) -> None:
    result = cli.run("plan", *UP[1:], "--color", "always").expect(0)
    assert COLOUR.search(result.stdout)


# ---------------------------------------------------------------- who gets what


def test_a_terminal_line_never_gets_into_the_data(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    ministack.proxy.arm(SLOWLY)
    terminal = on_terminal(cli, *UP, "--yes", stdout=subprocess.PIPE)
    terminal.wait_for(A_BAR)
    assert terminal.end() == 0, terminal.everything()
    assert terminal.process.stdout.read() == b""
    terminal.process.stdout.close()


def events(text: str) -> list[dict[str, Any]]:
    """Every line is an event, whatever else there may be."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        assert event["schema"] == 1, event
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), event
        assert re.fullmatch(r"[a-z_]+", event["type"]), event
    assert [event["time"] for event in found] == sorted(event["time"] for event in found)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "reading what is there",
        '{"schema": 2, "time": "2026-01-01T00:00:00.000Z", "type": "phase"}',
        '{"schema": 1, "time": "now", "type": "phase"}',
        '{"schema": 1, "time": "2026-01-01T00:00:00.000Z"}',
    ],
)
def test_what_is_no_event_is_noticed(line: str) -> None:
    with pytest.raises((ValueError, AssertionError, KeyError)):
        events(line)


def test_programs_get_events_alone(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    terminal = on_terminal(cli, *UP, "--yes", "--output", "json", stdout=subprocess.PIPE)
    written = terminal.process.stdout.read().decode()
    terminal.process.stdout.close()
    assert terminal.end() == 0
    assert terminal.written() == "", "a terminal gets nothing of what is for programs"
    found = events(written)
    kinds = [event["type"] for event in found]
    assert kinds[0] == "phase" and kinds[-1] == "result", kinds
    assert kinds.count("run_started") == kinds.count("run_finished") == kinds.count("plan") == 1
    steps = found[kinds.index("run_started")]["steps"]
    assert kinds.count("step_started") == kinds.count("step_settled") == steps
    assert found[-1]["command"] == "up" and found[-1]["cluster"] == CLUSTER


def test_programs_get_every_retry(cli: Cli, ministack: Rig) -> None:
    """People get the first and then fewer and fewer."""
    throttled = {"match": {"operation": "ec2:CreateVpc"}, "kind": "throttle", "times": 6}
    ministack.proxy.arm(throttled)
    found = events(cli.run(*UP, "--yes", "--output", "json").expect(0).stdout)
    retries = [event for event in found if event["type"] == "retrying"]
    assert [event["attempt"] for event in retries] == [1, 2, 3, 4, 5, 6]
    cli.down().expect(0)
    ministack.proxy.reset()
    ministack.proxy.arm(throttled)
    result = cli.run(*UP, "--yes").expect(0)
    assert re.findall(r"ec2/vpc:main is tried again in .* \(failed (\d+) in a row\)", result.stderr) == ["1", "2", "4"]


@pytest.mark.parametrize("verb", ["plan", "status", "drift", "doctor"])
def test_every_answer_has_a_form_for_programs(cli: Cli, verb: str) -> None:
    cli.up().expect(0)
    until = () if verb == "doctor" else ("--until", "cloud")
    result = cli.run(verb, "--profile", "large", *SPEC, *until, "--output", "json").expect(0)
    assert result.stderr == ""
    assert [event for event in events(result.stdout) if event["type"] not in ("phase", "warnings")]


def test_a_failure_is_the_last_event(cli: Cli, ministack: Rig) -> None:
    ministack.proxy.arm({"match": {"any": "call"}, "kind": "expired-token", "times": 0})
    result = cli.run(*UP, "--yes", "--output", "json").expect(5)
    assert result.stderr == ""
    last = events(result.stdout)[-1]
    assert (last["type"], last["exit_code"]) == ("error", 5) and last["hints"], last


def test_consent_is_never_asked_of_a_program(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    terminal = on_terminal(cli, *UP, "--output", "json", stdout=subprocess.PIPE)
    written = terminal.process.stdout.read().decode()
    terminal.process.stdout.close()
    assert terminal.end() == 2, written
    assert events(written)[-1]["type"] == "error" and terminal.written() == ""
    assert ministack.proxy.mutations() == []


def test_quiet_leaves_data_and_errors(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    result = cli.run(*UP, "--yes", "--quiet").expect(0)
    assert (result.stdout, result.stderr) == ("", "")
    result = cli.run("plan", *UP[1:], "--quiet").expect(0)
    assert CLUSTER in result.stdout and result.stderr == ""
    terminal = on_terminal(cli, *DOWN, "--quiet")
    seen = terminal.wait_for("Type the name")
    assert "to remove" in terminal.everything(), f"nobody consents to the unseen, not even quietly:\n{seen}"
    terminal.type(f"{CLUSTER}\n")
    assert terminal.end() == 0
    assert "✓" not in terminal.everything(), terminal.everything()


def test_verbose_tells_every_step_and_look(cli: Cli, ministack: Rig, on_terminal: Open) -> None:
    terminal = on_terminal(cli, *UP, "--yes", "-v", lines=60)
    assert terminal.end() == 0
    text = terminal.everything()
    assert "ec2/vpc:main is being created, about" in text
    assert "to go" not in terminal.written(), "lines of a log would tear bars apart"


# ---------------------------------------------------------------- as text


def sorted_steps(text: str) -> str:
    """Steps begin and end in another order in every run."""
    lines = text.splitlines(keepends=True)
    begin = next((index for index, line in enumerate(lines) if re.match(r"\d+ steps?, about ", line)), len(lines))
    end = next((index for index, line in enumerate(lines) if re.match(r"\d+ of \d+ steps? done", line)), begin)
    return "".join([*lines[: begin + 1], *sorted(lines[begin + 1 : end]), *lines[end:]])


def as_text(cli: Cli, rig: Rig, result: Result) -> str:
    return sorted_steps(rendered(result, {str(cli.home): "HOME", rig.proxy.endpoint: "ENDPOINT"}))


def test_a_life_as_text(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    """What a log of a whole life reads like: every verb, where there is no terminal."""
    cli.configure(f'name = "{CLUSTER}"\nprovider = "eks"\nregion = "us-east-1"\nprofile = "large"\n')
    until = ("--until", "cloud")
    life = {
        "plan": ("plan", *until),
        "plan_plain": ("plan", *until, "--output", "plain"),
        "up": ("up", *until, "--yes"),
        "up_again": ("up", *until, "--yes"),
        "plan_again": ("plan", *until),
        # ministack cannot change a node group.
        "up_that_fails": ("up", *until, "--yes", "--worker-max", "30", "--output", "plain"),
        "status": ("status", *until),
        "drift": ("drift", *until, "--worker-max", "31"),
        "down_without_consent": ("down",),
        "down": ("down", "--yes", CLUSTER),
        "down_again": ("down", "--yes", CLUSTER),
    }
    for name, arguments in life.items():
        result = cli.run(*arguments)
        compare_snapshot(f"terminal/{name}", as_text(cli, ministack, result))


# ---------------------------------------------------------------- for shells and manuals


def program_on_the_path(cli: Cli) -> str:
    """A directory in which the program has its own name."""
    folder = cli.home / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / "howso-infra"
    if not link.exists():
        link.symlink_to(cli.binary)
    return str(folder)


def bash(cli: Cli, script: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{program_on_the_path(cli)}:/usr/bin:/bin", "HOME": str(cli.home)}
    return subprocess.run(["bash", "--norc", "-c", script], env=environment, cwd=cli.home, capture_output=True, text=True, timeout=60)


def test_bash_loads_the_completions_and_completes(cli: Cli) -> None:
    assert shutil.which("bash"), "the tests run from bash"
    ran = bash(cli, "source <(howso-infra completions bash) && complete -p howso-infra")
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    function = re.search(r"-F (\S+)", ran.stdout)[1]
    complete = (
        "source <(howso-infra completions bash); COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); "
        f'{function} howso-infra "${{{{COMP_WORDS[COMP_CWORD]}}}}" "${{{{COMP_WORDS[COMP_CWORD-1]}}}}"; printf "%s\\n" "${{{{COMPREPLY[@]}}}}"'
    )
    for words, wanted in {
        "howso-infra do": {"down", "doctor"},
        "howso-infra up --until ''": {"cloud", "cluster", "platform"},
        "howso-infra up --allow-r": {"--allow-replace"},
        "howso-infra profile ''": {"list", "show"},
    }.items():
        ran = bash(cli, complete.format(words=words))
        assert wanted <= set(ran.stdout.split()), (words, ran)


@pytest.fixture
def pages(cli: Cli) -> list[Path]:
    cli.run("man", "pages").expect(0)
    (cli.home / "pages" / "howso-infra.1").write_text(cli.run("man").expect(0).stdout)
    return sorted((cli.home / "pages").glob("*.1"))


READERS = {
    # Warnings of every kind, nothing but warnings.
    "groff": ["groff", "-man", "-Tutf8", "-ww", "-z"],
    "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
    "man": ["man", "--warnings", "-l"],
}


def test_manual_pages_are_read_without_a_warning(pages: list[Path]) -> None:
    readers = {name: command for name, command in READERS.items() if shutil.which(name)}
    assert len(pages) == 26, [page.name for page in pages]
    for page in pages:
        text = page.read_text()
        assert text.startswith(".ie") and ".TH " in text and ".SH NAME" in text.replace('"', ""), page
        for name, command in readers.items():
            environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "100", "HOME": str(page.parent)}
            ran = subprocess.run([*command, str(page)], env=environment, capture_output=True, text=True, timeout=60)
            assert (ran.returncode, ran.stderr) == (0, ""), f"{name} about {page.name}: {ran.stderr}"


def test_the_manual_page_reads_well(pages: list[Path], compare_snapshot: Compare) -> None:
    """The source of the main page: what readers of it make depends on their versions."""
    page = next(page for page in pages if page.name == "howso-infra.1")
    compare_snapshot("terminal/manual_page", normalised(page.read_text(), {}))
