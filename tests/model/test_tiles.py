"""Windows: they cover, they blend to one, they change nothing that a whole-image pass would give."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from gendeg.model.tiles import over_tiles, pad_to_multiple, ramp, starts

SIZES = [(1, 1), (7, 5), (8, 8), (9, 8), (33, 50), (64, 17), (41, 97)]


def image(height: int, width: int, channels: int = 2) -> torch.Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(height * 1000 + width))


@pytest.mark.parametrize(("tile", "overlap"), [(8, 2), (8, 0), (16, 4), (5, 4), (3, 1), (1, 0)])
def test_starts_cover_with_the_overlap_asked_for(tile, overlap):
    for length in range(1, 60):
        at = starts(length, tile, overlap)
        assert at[0] == 0 and at[-1] == max(length - tile, 0)
        assert all(0 < b - a <= tile - overlap for a, b in itertools.pairwise(at))


def test_ramp_by_hand():
    assert ramp(6, 2, first=False, last=False).tolist() == [0.25, 0.75, 1, 1, 0.75, 0.25]
    assert ramp(4, 2, first=True, last=False).tolist() == [1, 1, 0.75, 0.25]
    assert ramp(4, 2, first=False, last=True).tolist() == [0.25, 0.75, 1, 1]
    assert ramp(3, 1, first=True, last=True).tolist() == [1, 1, 1]


def test_ramp_of_a_window_shorter_than_the_overlap():
    weight = ramp(2, 4, first=False, last=False)
    assert weight.shape == (2,) and (weight > 0).all()


def test_opposite_ramps_sum_to_one_where_they_meet():
    total = ramp(8, 4, True, False)[-4:] + ramp(8, 4, False, True)[:4]
    torch.testing.assert_close(total, torch.ones(4))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("tile", "overlap", "multiple"), [(8, 2, 1), (8, 2, 4), (8, 2, 8), (16, 4, 2), (32, 8, 1), (8, 0, 1)]
)
def test_identity_comes_back(size, tile, overlap, multiple):
    x = image(*size)
    torch.testing.assert_close(over_tiles(lambda window: window, [x], tile, overlap, multiple), x)


def test_windows_are_aligned_and_never_larger_than_the_tile():
    x = torch.arange(72.0).expand(1, 1, 40, 72)
    seen = []

    def look(window: torch.Tensor) -> torch.Tensor:
        assert max(window.shape[-2:]) <= 16
        seen.append(int(window[0, 0, 0, 0]))
        return window

    over_tiles(look, [x], 16, 4, 8)
    assert len(set(seen)) > 3 and all(left % 8 == 0 for left in seen)


def test_a_tile_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="multiple"):
        over_tiles(lambda window: window, [image(20, 20)], 10, 2, 4)


def test_one_window_when_it_fits():
    calls = []
    over_tiles(lambda window: calls.append(window.shape) or window, [image(8, 8)], 8, 2)
    assert calls == [(1, 2, 8, 8)]


def test_a_local_convolution_equals_the_whole_image_inside():
    """The kernel reaches 1 pixel; only pixels next to a window's edge may differ, and those weigh little."""
    kernel = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(0))

    def convolve(window: torch.Tensor) -> torch.Tensor:
        return F.conv2d(window, kernel)  # no padding inside, so a window never sees a made-up border

    x = image(40, 56)

    def padded(window: torch.Tensor) -> torch.Tensor:
        return convolve(F.pad(window, (1, 1, 1, 1), mode="replicate"))

    whole, tiled = padded(x), over_tiles(padded, [x], 16, 8)
    error = (whole - tiled).abs()
    edges = {edge for s in starts(40, 16, 8) for edge in (s, s + 15)}
    rows = [y for y in range(40) if y not in edges]
    edges = {edge for s in starts(56, 16, 8) for edge in (s, s + 15)}
    columns = [c for c in range(56) if c not in edges]
    assert error[..., rows, :][..., columns].max() < 1e-4
    assert error.mean() < 0.05 * whole.abs().mean()


def test_a_blend_of_different_constants_has_no_step():
    values = itertools.count()
    tiled = over_tiles(lambda window: torch.full_like(window, next(values)), [torch.zeros(1, 1, 8, 40)], 16, 8)
    steps = tiled[0, 0, 0].diff()
    assert tiled[0, 0, 0, 0] == 0 and steps.max() <= 1 / 8 + 1e-5 and steps.min() >= 0


@pytest.mark.parametrize("factor", [2, 4])
def test_functions_that_shrink_and_grow(factor):
    x = image(48, 80)
    small = over_tiles(lambda window: F.avg_pool2d(window, factor), [x], 16, 4, factor)
    torch.testing.assert_close(small, F.avg_pool2d(x, factor))
    large = over_tiles(lambda window: F.interpolate(window, scale_factor=factor), [x], 16, 4)
    torch.testing.assert_close(large, F.interpolate(x, scale_factor=factor))


def test_inputs_of_two_resolutions_stay_aligned():
    fine = image(48, 80)
    coarse = F.avg_pool2d(fine, 2)

    def add(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + F.avg_pool2d(b, 2)

    torch.testing.assert_close(over_tiles(add, [coarse, fine], 8, 2), 2 * coarse)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multiple", [1, 2, 8])
def test_padding_divides_and_keeps_the_image(size, multiple):
    x = image(*size)
    padded = pad_to_multiple(x, multiple)
    assert all(p % multiple == 0 and 0 <= p - s < multiple for p, s in zip(padded.shape[-2:], size, strict=True))
    torch.testing.assert_close(padded[..., : size[0], : size[1]], x, rtol=0, atol=0)


def test_padding_mirrors_without_repeating_the_border():
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    assert pad_to_multiple(x, 8)[0, 0, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert pad_to_multiple(x, 8)[0, 0, :, 1].tolist() == [2] * 8
    assert pad_to_multiple(x[..., :2], 4)[0, 0, 0].tolist() == [1, 2, 1, 2]


def test_padding_agrees_with_reflection():
    x = image(13, 11)
    torch.testing.assert_close(pad_to_multiple(x, 8), F.pad(x, (0, 5, 0, 3), mode="reflect"), rtol=0, atol=0)
