"""The bar: stderr only, late, and quiet when not wanted."""

import time

from gendeg.primitives import progress


def test_items_pass_through_and_short_work_shows_nothing(capsys):
    assert list(progress.track(range(5), "short", wanted=True)) == [0, 1, 2, 3, 4]
    out, err = capsys.readouterr()
    assert out == err == ""


def test_long_work_shows_on_stderr_only(capsys):
    with progress.bar("long", total=2, wanted=True) as bar:
        time.sleep(progress.DELAY + 0.2)
        bar.update(2)
    out, err = capsys.readouterr()
    assert out == "" and "long" in err and "2/2" in err


def test_unwanted_bar_stays_silent(capsys):
    for wanted in (False, None):  # None: stderr is no terminal here
        with progress.bar("long", total=2, wanted=wanted) as bar:
            bar.start_t = time.time() - 60
            bar.update(2)
    assert capsys.readouterr().err == ""
