"""The page of gendeg play in a real browser: a photo, an image, the slider, a bad file, no request to elsewhere.

Chromium and its driver come from the system's packages (Debian: chromium chromium-driver); skipped where they are not.
"""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from gendeg.play.config import PlayConfig
from gendeg.play.server import address, open_server
from gendeg.play.studio import Studio
from tests.browsers import DESKTOP, PHONE, look, needs_browser
from tests.tiny import photo, tiny_pipeline

By = pytest.importorskip("selenium.webdriver.common.by", reason="selenium is not installed").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
Wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    config = PlayConfig(model=str(folder), device="cpu", port=0, megabytes=1)
    server = open_server(config, Studio(config))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield address(server)
    server.shutdown()
    server.server_close()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    stream = io.BytesIO()
    Image.fromarray(photo(96, 144)).save(stream, "JPEG")
    (tmp_path / "mine.jpg").write_bytes(stream.getvalue())
    return tmp_path / "mine.jpg"


def give(browser, path: Path) -> None:
    browser.find_element(By.ID, "file").send_keys(str(path))


def text(browser, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def made(browser, before: str = "–") -> str:
    """The command, once there is one other than `before`."""
    Wait(browser, 120).until(lambda b: text(b, "code") not in ("–", before))
    return text(browser, "code")


def clean_share(browser) -> str:
    return browser.execute_script("return document.querySelector('.pair').style.getPropertyValue('--at')")


def requests(browser) -> set[str]:
    sent = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"}
    return {url for url in urls if not url.startswith(("data:", "blob:", "chrome:"))}


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_photo_becomes_an_image_and_the_slider_moves(browser, page, mine, size) -> None:
    look(browser, page, size)
    give(browser, mine)
    first = made(browser)
    assert first.startswith("gendeg synth mine.jpg --type haze --intensity 0.6 --seed 0 --size 384 --model ")
    pair = browser.find_element(By.CSS_SELECTOR, ".pair")
    slider = pair.find_element(By.TAG_NAME, "input")
    sizes = browser.execute_script("return [...document.querySelectorAll('.pair img')].map(i => i.naturalWidth)")
    assert sizes == [576, 576] and pair.is_displayed()
    browser.execute_script("arguments[0].focus()", slider)
    slider.send_keys(Keys.HOME + Keys.ARROW_RIGHT * 20)
    assert clean_share(browser) == "20%" and slider.get_attribute("aria-valuetext") == "20 % clean"
    assert float(text(browser, "[data-of=mu]")) > 0 and text(browser, "[data-of=mu_requested]").startswith(
        "asked for 0.1"
    )
    save = browser.find_element(By.CSS_SELECTOR, ".save")
    assert save.get_attribute("download") == "mine.haze.i060.s0.png" and save.get_attribute("href").startswith("blob:")
    browser.find_element(By.CSS_SELECTOR, ".dice").click()
    assert "--seed 1" in made(browser, first)
    second = text(browser, "code")
    browser.find_element(By.CSS_SELECTOR, "input[value=snow]").send_keys(Keys.SPACE)
    assert "--type haze+snow" in made(browser, second)
    assert browser.execute_script("return document.documentElement.scrollWidth") == size[0], "nothing sticks out"
    assert browser.get_log("browser") == []
    assert all(url.startswith(page) for url in requests(browser))


def test_a_bad_file_gets_the_command_lines_line(browser, page, tmp_path) -> None:
    look(browser, page)
    (tmp_path / "bad.jpg").write_text("no photo")
    give(browser, tmp_path / "bad.jpg")
    Wait(browser, 60).until(lambda b: text(b, ".trouble"))
    assert text(browser, ".trouble").startswith("bad.jpg: is not an image that Pillow knows")
    (tmp_path / "large.jpg").write_bytes(bytes(1_100_000))
    give(browser, tmp_path / "large.jpg")
    Wait(browser, 60).until(lambda b: "1.1 MB" in text(b, ".trouble"))
    assert not browser.find_element(By.CSS_SELECTOR, ".pair").is_displayed()


def test_a_sample_is_one_click(browser, page) -> None:
    look(browser, page, scheme="dark")
    browser.find_element(By.CSS_SELECTOR, ".sample").click()
    assert "sklearn/datasets/images/china.jpg" in made(browser)
    assert text(browser, ".trouble") == "" and browser.get_log("browser") == []
