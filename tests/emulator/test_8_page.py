"""The page of a rehearsal as a real browser shows it: Chromium, with scripts off, in light and dark, narrow, and on paper."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

# The colours of the style sheet: the page itself is the browser's own white or black.
CRITICAL = {"light": (0xD9, 0x82, 0x2B), "dark": (0xE5, 0x9A, 0x4A)}

# What boxes say of the layout. Run from outside: the page itself has no scripts.
MEASURE = """() => {
  const box = (element) => { const { left, right, top, bottom } = element.getBoundingClientRect(); return { left, right, top, bottom }; };
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    page: { width: document.documentElement.scrollWidth, window: innerWidth },
    names: all("svg text[text-anchor=end]").map((text) => ({ ...box(text), says: text.textContent })),
    hours: all("svg text:not([text-anchor])").map(box),
    bars: all("svg rect").map((bar) => ({ ...box(bar), kind: bar.className.baseVal })),
    looks: all("svg line.look").map(box),
    chart: box(document.querySelector("svg")),
    headings: all("h1, h2").map((heading) => heading.textContent),
    cut: all("td, dd, li").filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent),
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("install chromium, for example with `apt-get install chromium`", pytrace=False)
    with sync_playwright() as playwright:
        # Who is root has no sandbox; the page is ours.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a cluster with every kind of step, in a rehearsal of which something went wrong."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    command = [os.environ["HOWSO_TESTS_RELEASE"], "rehearse", "up", "--profile", "large", "--html", str(path)]
    command += ["--fault", "throttled@eks:CreateCluster"]
    environment = {"HOME": str(path.parent), "PATH": os.defpath}
    subprocess.run(command, env=environment, cwd=path.parent, stdout=subprocess.DEVNULL, check=True, timeout=300)
    return path


@pytest.fixture
def shown(browser: Browser, page_file: Path) -> Iterator[Callable[..., Page]]:
    """Shows the page in a window of some width, in light or dark."""
    contexts = []

    def show(width: int = 1200, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=False
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(page_file.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    aside = one["right"] <= other["left"] or other["right"] <= one["left"]
    return not (aside or one["bottom"] <= other["top"] or other["bottom"] <= one["top"])


def middle(bar: dict[str, float]) -> tuple[int, int]:
    return int((bar["left"] + bar["right"]) / 2), int((bar["top"] + bar["bottom"]) / 2)


@pytest.mark.parametrize("width", [1200, 800, 390])
def test_nothing_lies_on_anything_else_and_the_window_shows_all_of_it(shown, width: int) -> None:
    layout = shown(width).evaluate(MEASURE)
    # What is wider than the window, the chart and the table of steps, moves by itself: the page does not.
    assert layout["page"]["width"] <= layout["page"]["window"]
    names, bars, chart = layout["names"], layout["bars"], layout["chart"]
    assert len(names) == len(bars) > 60
    for name, bar in zip(names, bars, strict=True):
        assert not overlap(name, bar), f"{name['says']} lies on its bar"
        assert name["top"] < bar["bottom"] and bar["top"] < name["bottom"], f"{name['says']} is not beside its bar"
        assert name["left"] >= chart["left"] - 0.5, f"{name['says']} begins outside of the chart"
        assert chart["left"] <= bar["left"] and bar["right"] <= chart["right"] + 1
    rows = [(one, other) for one, other in zip(names, names[1:])]
    assert all(one["bottom"] <= other["bottom"] and one["top"] < other["top"] for one, other in rows)
    hours = layout["hours"]
    assert not any(overlap(one, other) for one, other in zip(hours, hours[1:])), "the times above lie on each other"
    assert layout["looks"] and all(look["right"] <= chart["right"] + 1 for look in layout["looks"])
    assert layout["cut"] == []


def test_what_there_is_stands_in_its_order(shown) -> None:
    headings = shown().evaluate(MEASURE)["headings"]
    assert headings == ["Rehearsal of up", "What decides how long it takes", "Steps in their time", "Steps", "Calls"]


@pytest.mark.parametrize(("scheme", "paper"), [("light", (255, 255, 255)), ("dark", (18, 18, 18))])
def test_a_picture_has_the_colours_that_the_text_speaks_of(shown, scheme: str, paper: tuple[int, int, int]) -> None:
    page = shown(scheme=scheme)
    layout = page.evaluate(MEASURE)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    assert picture.getpixel((2, 2)) == paper
    widest = {
        kind: max((bar for bar in layout["bars"] if bar["kind"] == kind), key=lambda bar: bar["right"] - bar["left"])
        for kind in ("bar", "critical")
    }
    # Beside the strokes of the looks.
    left, top = int(widest["critical"]["left"]) + 3, middle(widest["critical"])[1]
    assert picture.getpixel((left, top)) == CRITICAL[scheme]
    text = {picture.getpixel((x, y)) for x in range(16, 300) for y in range(24, 50)}
    assert any(contrast(colour, paper) >= 7 for colour in text), "the title is hardly seen"


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """How well one colour is seen on another: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: tuple[int, ...]) -> float:
        linear = [part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_quiet_can_still_be_read(shown, scheme: str) -> None:
    page = shown(scheme=scheme)
    colours = page.evaluate(
        """() => [...document.querySelectorAll(".quiet, .bad, dt, td, svg text")].map((element) => {
          const style = getComputedStyle(element);
          return element.closest("svg") ? style.fill : style.color;
        })"""
    )
    paper = (255, 255, 255) if scheme == "light" else (18, 18, 18)
    parsed = {tuple(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) for colour in colours}
    assert len(parsed) >= 2
    assert {colour: contrast(colour, paper) for colour in parsed if contrast(colour, paper) < 4.5} == {}


def test_it_can_be_printed(shown, tmp_path: Path) -> None:
    page = shown()
    # A sheet of A4 has 794 pixels across, of which the margins of the browser take some.
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 900})
    layout = page.evaluate(MEASURE)
    assert layout["chart"]["right"] <= 718, "the chart does not fit on the sheet"
    document = page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=True)
    assert 2 <= document.count(b"/Type /Page\n") <= 8
