"""The page: what comes from data stays text, nothing is fetched, pictures are inside and small."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from gendeg.report.html import Card, Cell, Facts, Page, Section, Sheet, Table, make_picture, render_page

BAD = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def image(height: int = 30, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def page(word: str = "haze") -> Page:
    picture = make_picture(image())
    cards = [
        Card(word, [word], word, word, picture, picture, [(word, word)]),
        Card(word, [], "rain", "existing", picture),
        Card(word, [], "rain", "existing", None),
    ]
    table = Table(word, [word, word], [[word, Cell(word, shade=0.5)], [word, Cell(word, interval=(0.1, 0.2, 0.4))]])
    blocks = [Sheet(cards, controls=True), table, Facts([(word, word)])]
    return Page(word, word, word, [(word, word)], [Section("one", word, [word], blocks)], word, word)


def test_words_from_data_never_become_markup():
    plain, odd = Elements(render_page(page("haze"))), Elements(render_page(page(BAD)))
    assert [tag for tag, _ in odd.found] == [tag for tag, _ in plain.found]
    assert odd.text.count(BAD) > 10  # the template in it is not run either
    assert [name for _, attributes in odd.found for name in attributes if name.startswith("on")] == []


def test_the_policy_allows_the_pages_own_script_and_no_network():
    elements = Elements(render_page(page()))
    (policy,) = [meta["content"] for meta in elements.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    script = re.search("<script>(.*)</script>", render_page(page()), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and policy.startswith("default-src 'none'")
    places = [
        value for _, attributes in elements.found for name, value in attributes.items() if name in ("src", "href")
    ]
    assert places and all(value.startswith(("data:", "#")) for value in places)


def test_equal_results_give_equal_pages():
    assert render_page(page()) == render_page(page())


def test_a_pair_has_a_slider_with_a_name_and_a_single_picture_has_none():
    elements = Elements(render_page(page("haze")))
    sliders = [one for one in elements.of("input") if one["type"] == "range" and one.get("name") != "every"]
    assert len(sliders) == 1
    assert "haze" in sliders[0]["aria-label"] and sliders[0]["aria-valuetext"] == "50 % clean"
    assert len(elements.of("img")) == 3 and all(one["alt"] for one in elements.of("img"))


@pytest.mark.parametrize("longest, expected", [(0, (40, 30)), (20, (20, 15)), (400, (40, 30))])
def test_pictures_are_scaled_down_but_never_up(longest, expected):
    picture = make_picture(image(), longest)
    head, data = picture.source.split(",")
    decoded = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/webp;base64" and decoded.format == "WEBP"
    assert decoded.size == (picture.width, picture.height) == expected and picture.full == (40, 30)


def test_a_picture_looks_like_what_it_was_made_of():
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (48, 1, 3))
    data = base64.b64decode(make_picture(smooth).source.split(",")[1])
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    assert np.abs(shown - smooth).mean() < 3
