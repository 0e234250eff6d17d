"""How many images fit into memory: a line through one and two, and a part that stays free."""

import pytest

from gendeg.model.fitting import LEFT_FREE, MOST, PLAIN_BATCH, fitting_batch, most_that_fit
from gendeg.model.generate import Generator
from gendeg.model.settings import settings_of
from tests.tiny import tiny_pipeline


@pytest.mark.parametrize(("each", "free", "fits"), [(10, 10_000, 64), (10, 200, 8), (20, 200, 4), (10, 45, 1)])
def test_the_largest_power_of_two_that_leaves_some_free(each, free, fits):
    base = 50
    assert most_that_fit(lambda count: base + each * count, free) == fits
    if 1 < fits < MOST:
        assert base + each * fits <= (1 - LEFT_FREE) * free < base + each * 2 * fits


def test_without_a_gpu_it_is_a_plain_number():
    pipeline = tiny_pipeline()
    assert fitting_batch(Generator(pipeline, settings_of(pipeline)), (16, 16), "haze") == PLAIN_BATCH
