"""The page of gendeg report in a real browser: the slider by keys, mouse and finger, filters, dark, phone, no network.

Chromium and its driver come from the system's packages (Debian: chromium chromium-driver); skipped where they are not.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendeg.evaluate.report import report
from gendeg.report.config import ReportConfig
from tests.browsers import DESKTOP, PHONE, needs_browser
from tests.browsers import look as open_page
from tests.builds import finished_build
from tests.evaluations import write_evaluation

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e '.[dev]'")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    evaluation = write_evaluation(folder / "evaluation", caption="<script>alert(1)</script>")
    for name, source in (("dataset", finished_build() / "out"), ("evaluation", evaluation)):
        report(ReportConfig(source, folder / f"{name}.html", progress=False))
    return {name: folder / f"{name}.html" for name in ("dataset", "evaluation")}


def look(browser, page: Path, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
    """Opens the page from its file, in a window of this size."""
    open_page(browser, page.as_uri(), size, scheme)


def first_pair(browser):
    pair = browser.find_element(By.CSS_SELECTOR, "#pairs .pair:not(.single)")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", pair)
    return pair, pair.find_element(By.TAG_NAME, "input")


def clean_edge(browser, pair) -> float:
    """Where the clean photo ends, as the style that is in force says, in % of the width."""
    script = "return getComputedStyle(arguments[0].querySelector('.clean')).clipPath"
    clip = browser.execute_script(script, pair)  # inset(0px calc(100% - 30%) 0px 0px), or the sum of it
    numbers = [float(part.rstrip("%)")) for part in clip.split() if "%" in part]
    return 100 - numbers[0] if len(numbers) == 1 else numbers[1]


def pixels(browser, pair) -> np.ndarray:
    shot = Image.open(io.BytesIO(base64.b64decode(pair.screenshot_as_base64)))
    return np.asarray(shot.convert("RGB"), np.float64)


def test_arrow_keys_move_the_line_and_say_so(browser, pages):
    look(browser, pages["dataset"])
    pair, slider = first_pair(browser)
    before = pixels(browser, pair)
    browser.execute_script("arguments[0].focus()", slider)
    slider.send_keys(Keys.ARROW_LEFT * 30)
    assert clean_edge(browser, pair) == 20 and slider.get_attribute("aria-valuetext") == "20 % clean"
    slider.send_keys(Keys.HOME)
    assert clean_edge(browser, pair) == 0
    changed = np.abs(pixels(browser, pair) - before).mean(axis=(0, 2))
    left, right = np.split(changed, [round(0.4 * len(changed))])[0].mean(), changed[round(0.65 * len(changed)) :].mean()
    assert left > 5 * max(right, 0.5), "what was clean is degraded now; the other half is as it was"
    slider.send_keys(Keys.END)
    assert clean_edge(browser, pair) == 100


def test_the_mouse_drags_the_line_from_anywhere(browser, pages):
    look(browser, pages["dataset"])
    pair, slider = first_pair(browser)
    width = pair.size["width"]
    actions = ActionChains(browser).move_to_element_with_offset(pair, round(0.3 * width), 0)
    actions.click_and_hold().move_by_offset(-round(0.6 * width), 10).release().perform()
    assert abs(clean_edge(browser, pair) - 20) < 3
    ActionChains(browser).move_to_element_with_offset(pair, round(0.25 * width), 0).click().perform()
    assert abs(clean_edge(browser, pair) - 75) < 3
    ActionChains(browser).move_by_offset(-round(0.5 * width), 0).perform()
    assert abs(clean_edge(browser, pair) - 75) < 3, "it stays where it was let go"
    assert browser.switch_to.active_element == slider, "the arrow keys go on from here"


def test_a_finger_moves_the_line_and_still_scrolls_the_page(browser, pages):
    look(browser, pages["dataset"], PHONE)
    pair, _ = first_pair(browser)
    box = browser.execute_script(
        "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", pair
    )
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": place[0], "y": place[1]} for place in places]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x, y))
    for step in range(1, 11):
        touch("touchMove", (x + step * 0.03 * box[2], y))
    touch("touchEnd")
    assert abs(clean_edge(browser, pair) - 80) < 4
    top = browser.execute_script("return scrollY")
    touch("touchStart", (x, y))
    for step in range(1, 15):
        touch("touchMove", (x, y - 15 * step))
    touch("touchEnd")
    WebDriverWait(browser, 5).until(lambda _: browser.execute_script("return scrollY") > top + 100)
    assert abs(clean_edge(browser, pair) - 80) < 4, "a finger that goes up or down scrolls, and moves no line"


def test_controls_filter_order_and_move_all(browser, pages):
    look(browser, pages["evaluation"])
    browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    block = browser.find_element(By.CSS_SELECTOR, "#pairs .sheet-block")
    shown = lambda: [card for card in block.find_elements(By.CSS_SELECTOR, ".card") if card.is_displayed()]  # noqa: E731
    everything = len(shown())
    block.find_element(By.CSS_SELECTOR, "[name=degradation][value=rain]").send_keys(Keys.SPACE)
    assert 0 < len(shown()) < everything and {card.get_attribute("data-degradation") for card in shown()} == {"rain"}
    assert block.find_element(By.TAG_NAME, "output").text == f"{len(shown())} of {everything}"
    block.find_element(By.CSS_SELECTOR, "[name=origin][value=simulator]").send_keys(Keys.SPACE)
    assert {card.get_attribute("data-origin") for card in shown()} == {"simulator"}
    block.find_element(By.CSS_SELECTOR, "[name=origin][value='']").send_keys(Keys.SPACE)
    block.find_element(By.CSS_SELECTOR, "[name=order]").send_keys("strongest")
    strength = [float(card.get_attribute("data-rank")) for card in shown()]
    assert strength == sorted(strength, reverse=True) and len(set(strength)) > 1
    block.find_element(By.CSS_SELECTOR, "[name=every]").send_keys(Keys.HOME)
    edges = {clean_edge(browser, pair) for pair in block.find_elements(By.CSS_SELECTOR, ".pair:not(.single)")}
    assert edges == {0}


@pytest.mark.parametrize("name", ["dataset", "evaluation"])
def test_no_word_in_the_console_and_no_request(browser, pages, name):
    look(browser, pages[name])
    for _ in range(30):
        browser.execute_script("scrollBy({top: 800, behavior: 'instant'})")
    first_pair(browser)[1].send_keys(Keys.ARROW_RIGHT)
    assert browser.get_log("browser") == []
    messages = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    assert pages[name].as_uri() in asked
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert {url for url in asked if url.startswith("file")} == {pages[name].as_uri()}
    assert browser.execute_script("return [...document.images].every((one) => one.loading === 'lazy')")


@pytest.mark.parametrize("name", ["dataset", "evaluation"])
def test_every_picture_inside_the_page_can_be_shown(browser, pages, name):
    look(browser, pages[name])
    broken = browser.execute_async_script("""
        const done = arguments[0], images = [...document.images];
        for (const one of images) one.loading = "eager";
        const tried = images.map((one) => one.decode().then(() => 0, () => 1));
        Promise.all(tried).then((bad) => done([bad.length, bad.reduce((a, b) => a + b, 0)]));
    """)
    assert broken[0] >= 40 and broken[1] == 0


@pytest.mark.parametrize("name", ["dataset", "evaluation"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_be_read(browser, pages, name, scheme):
    look(browser, pages[name], scheme=scheme)
    paper, *inks = browser.execute_script("""
        const style = (where, what) => getComputedStyle(document.querySelector(where))[what];
        return [style("body", "backgroundColor"), style("h1", "color"), style("section > p", "color"),
                style(".plot text", "fill"), style(".plot .label", "fill"), style(".card .note", "color"),
                style(".plot .generated", "stroke"), style("td", "color")];
    """)
    assert (luminance(paper) > 0.8) == (scheme == "light")
    ratios = [contrast(paper, ink) for ink in inks]
    assert min(ratios) >= 4.5, f"WCAG AA for text: {ratios}"


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2.1 defines it."""
    values = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["dataset", "evaluation"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_nothing_is_wider_than_the_window(browser, pages, name, size):
    look(browser, pages[name], size)
    script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    content, window = browser.execute_script(script)
    assert content == window and size[0] - 20 < window <= size[0]  # a desktop's scroll bar takes some
    over = browser.execute_script("""
        const inside = (one) => one.closest(".scroll, nav, .skip, svg, [hidden]");
        const wide = (one) => !inside(one) && one.getBoundingClientRect().right > innerWidth + 1;
        return [...document.querySelectorAll("body *")].filter(wide).map((one) => one.outerHTML.slice(0, 80));
    """)
    assert over == []


def test_the_keyboard_reaches_everything_in_order(browser, pages):
    look(browser, pages["dataset"])
    seen = []
    for _ in range(40):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        one = browser.switch_to.active_element
        seen.append((one.tag_name, one.get_attribute("name") or one.get_attribute("class") or ""))
    assert seen[0] == ("a", "skip") and ("input", "degradation") in seen and ("select", "order") in seen
    assert ("input", "every") in seen and ("input", "") in seen and ("summary", "") in seen
