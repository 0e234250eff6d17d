"""The same settings are the same run; what differs is named; what is done is not done again."""

import json

import pytest

from gendeg.primitives.errors import DifferentRun
from gendeg.primitives.once import changed, once, same_run


@pytest.mark.parametrize(
    "before, now, names",
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": 2}, {"b": 3, "a": 2}, ["a", "b"]),
        ({"a": 1}, {"a": 1, "new": ""}, []),  # an option that came later, and is off
        ({"a": 1}, {"a": 1, "new": 0.5}, ["new"]),
        ({"a": 1, "gone": True}, {"a": 1}, []),  # nobody asks for it any more
        ({"a": 0}, {"a": False}, []),
        ({"a": 1, "free": 1}, {"a": 1, "free": 2}, []),
    ],
)
def test_what_differs_is_named(before, now, names):
    found = changed(before, now, {"free"})
    assert found == {name: (before.get(name), now[name]) for name in names}


def test_a_folder_is_one_runs(tmp_path):
    assert not same_run(tmp_path, {"steps": 3})
    (tmp_path / "config.json").write_text(json.dumps({"steps": 3}))
    assert same_run(tmp_path, {"steps": 3})
    with pytest.raises(DifferentRun, match=r"other steps \(3 -> 4\); use"):
        same_run(tmp_path, {"steps": 4})
    assert same_run(tmp_path, {"steps": 4}, {"steps"})


def test_what_is_done_is_told_again_and_what_failed_is_done_again(tmp_path):
    made = []

    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        once(tmp_path / "new" / "told.json", fail)
    for _ in range(2):
        assert once(tmp_path / "new" / "told.json", lambda: made.append(1) or {"n": 1}) == {"n": 1}
        assert once(tmp_path / "new" / "done", lambda: made.append(2)) == {}
    assert made == [1, 2] and (tmp_path / "new" / "done").read_bytes() == b""
