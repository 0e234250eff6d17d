"""Errors: one line each, advice for every fault, and safe passage between processes."""

import pickle

import pytest

from gendeg.primitives import errors

EXAMPLES = [
    errors.UnknownDegradation("fog", ["haze"]),
    errors.MissingPath("x\ny"),
    errors.NoImages("x", [".png"]),
    errors.CannotRead("x", "Permission denied"),
    errors.BadImage("x.jpg", errors.ImageFault.TRUNCATED, "two\nlines"),
    errors.TooLongForFormat(9, 8, "webp", 7),
    errors.BadManifest("x", 3, "not JSON"),
    errors.BadRecord(["'mu' is missing"]),
    errors.OutputNotWritable("x", "No space left on device"),
    errors.IncompleteInstall("prompts", []),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_one_line_and_the_fields_survive_pickling(error):
    assert "\n" not in str(error) and str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and str(copy) == str(error) and vars(copy) == vars(error)


def test_every_fault_has_advice():
    assert set(errors.FAULT_ADVICE) == set(errors.ImageFault)
