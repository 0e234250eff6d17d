"""Contact sheets: every picture in its place, at its width, whatever its shape and label."""

import numpy as np
import pytest

from gendeg.report.sheet import GAP, LABEL, MARGIN, Tile, draw_sheet, drawable, thumbnail


def cell(colour: tuple[int, int, int], height: int, width: int, label: str = "x") -> Tile:
    return Tile(np.full((height, width, 3), colour, dtype=np.uint8), label)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def test_size_and_places():
    sheet = draw_sheet([[cell(RED, 40, 40), cell(GREEN, 20, 40)], [cell(BLUE, 10, 20)]], cell_width=40)
    first, second = 40 + LABEL + GAP, 20 + LABEL + GAP
    assert sheet.shape == (2 * MARGIN + first + second, 2 * MARGIN + 2 * 40 + GAP, 3) and sheet.dtype == np.uint8
    top, left = MARGIN + LABEL, MARGIN
    assert (sheet[top : top + 40, left : left + 40] == RED).all()
    assert (sheet[top : top + 20, left + 46 : left + 86] == GREEN).all()
    assert not (sheet[top + 20 : top + 40, left + 46 : left + 86] == GREEN).all(axis=-1).any()
    assert (sheet[top + first : top + first + 20, left : left + 40] == BLUE).all()


@pytest.mark.parametrize("height, width, kept", [(30, 64, (30, 64)), (200, 128, (100, 64))])
def test_thumbnails_are_no_wider_than_a_cell(height, width, kept):
    assert thumbnail(cell(RED, height, width).image, cell_width=64).shape == (*kept, 3)


def test_a_picture_of_the_cells_width_is_not_touched():
    picture = np.random.default_rng(0).integers(0, 256, (30, 64, 3), dtype=np.uint8)
    sheet = draw_sheet([[Tile(picture, "")]], cell_width=64)
    np.testing.assert_array_equal(sheet[MARGIN + LABEL : MARGIN + LABEL + 30, MARGIN : MARGIN + 64], picture)


def test_labels_are_drawn_above_and_stay_in_their_column():
    def strip(label: str) -> np.ndarray:
        sheet = draw_sheet([[cell(RED, 50, 50, label), cell(RED, 50, 50, "")]], cell_width=50)
        return sheet[MARGIN : MARGIN + LABEL].min(axis=(0, 2)) < 128

    assert not strip("").any() and strip("haze").any()
    long = strip("a very long label that cannot possibly fit")
    assert long[: MARGIN + 50].any() and not long[MARGIN + 50 + GAP :].any()


@pytest.mark.parametrize("label", ["two\nlines", "日本 🦓 é", "…", "", "W" * 500])
def test_any_label(label):
    assert draw_sheet([[cell(RED, 20, 20, label)]], cell_width=40).ndim == 3


@pytest.mark.parametrize("letter", list("aÄößéłøŠžçΣжЯ…·→"))
def test_letters_of_europe_are_drawn_as_themselves(letter):
    assert drawable(letter) == letter


@pytest.mark.parametrize(("letter", "shown"), [("水", r"\u6c34"), ("🦓", r"\U0001f993"), ("\udcff", r"\udcff")])
def test_letters_that_the_font_lacks_are_told_by_their_number(letter, shown):
    assert drawable(letter) == shown


def test_names_that_differ_look_different():
    def strip(label: str) -> np.ndarray:
        return draw_sheet([[cell(RED, 20, 120, label)]], cell_width=120)[MARGIN : MARGIN + LABEL]

    for one, other in (("水.jpg", "山.jpg"), ("Straße", "Strasse"), ("é", "e")):
        assert (strip(one) != strip(other)).any()
    np.testing.assert_array_equal(strip("e\u0301"), strip("\u00e9"))  # as macOS writes it


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 5)])
def test_any_shape(shape):
    sheet = draw_sheet([[cell(GREEN, *shape)]], cell_width=32)
    assert sheet.shape[1] == 2 * MARGIN + 32 and (sheet == GREEN).all(axis=-1).any()


def test_empty_rows_are_left_out_and_an_empty_sheet_refused():
    one = [cell(RED, 20, 20)]
    np.testing.assert_array_equal(draw_sheet([one, []], 20), draw_sheet([one], 20))
    with pytest.raises(ValueError, match="at least one"):
        draw_sheet([[]])
