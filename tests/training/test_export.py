"""What a trained model may be exported to begin with."""

import pytest

from gendeg.training.export import check_levels


@pytest.mark.parametrize("learnt", [0.0, 100.0])
def test_what_learnt_all_levels_may_begin_anywhere(learnt: float) -> None:
    check_levels(learnt, 0.6, {"haze": 0.0, "rain": 0.25})


@pytest.mark.parametrize(
    "sketch, lower", [(0.6, {}), (0.25, {"haze": 0.0}), (0.25, {"haze": 0.5}), (0.25, {"hail": 0.1})]
)
def test_nobody_begins_beyond_what_was_learnt(sketch: float, lower: dict[str, float]) -> None:
    check_levels(0.25, 0.25, {"haze": 0.05})
    with pytest.raises(ValueError, match="trained up to|sketch_levels"):
        check_levels(0.25, sketch, lower)
