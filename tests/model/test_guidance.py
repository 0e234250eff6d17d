"""Guidance weights against the three-term formula."""

import pytest
import torch

from gendeg.model.guidance import Branch, branches, combine

SCALES = [(7.5, 1.5), (1.0, 1.0), (0.0, 0.0), (2.0, 2.0), (3.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.3, 4.0)]


def predict(branch: Branch, full, image, uncond):
    return full if branch.text else image if branch.image else uncond


@pytest.mark.parametrize(("text", "image"), SCALES)
def test_equals_the_three_term_formula(text, image):
    torch.manual_seed(0)
    e_full, e_image, e_uncond = torch.randn(3, 2, 4, 3, 5)
    chosen = branches(text, image)
    got = combine([predict(branch, e_full, e_image, e_uncond) for branch in chosen], chosen)
    expected = e_uncond + text * (e_full - e_image) + image * (e_image - e_uncond)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("text", "image"), SCALES)
def test_weights_add_up_to_one(text, image):
    assert sum(branch.weight for branch in branches(text, image)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("scales", "count"), [((7.5, 1.5), 3), ((1.0, 1.0), 1), ((0.0, 0.0), 1), ((2.0, 2.0), 2), ((3.0, 1.0), 2)]
)
def test_vanishing_branches_are_left_out(scales, count):
    assert len(branches(*scales)) == count


def test_scales_of_one_leave_the_full_branch_alone():
    assert branches(1.0, 1.0) == [Branch(1.0, text=True, image=True)]


def test_the_text_only_branch_does_not_exist():
    assert all(branch.image or not branch.text for scales in SCALES for branch in branches(*scales))
