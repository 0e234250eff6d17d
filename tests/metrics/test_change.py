"""Statistics of a change: noise, waves, blurs and veils whose answers are known."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter

from gendeg.metrics.change import FINE, NAMES, SECTORS, change_statistics, coherence, lost_direction
from gendeg.physics.fields import convolve
from gendeg.physics.motion_blur import trajectory_psf

SIZE = 192


def statistics(change: np.ndarray, clean: np.ndarray | float = 0.5, blur: bool = False) -> dict[str, float]:
    """Of a change in unit range, [h w] or [h w 3], of a clean photo."""
    change = np.repeat(change[..., None], 3, axis=2) if change.ndim == 2 else change
    before = np.rint(255 * np.broadcast_to(clean, change.shape)).astype(np.uint8)
    after = np.rint(255 * np.clip(before / 255 + change, 0, 1)).astype(np.uint8)
    return dict(zip(NAMES, change_statistics(before, after, blur).tolist(), strict=True))


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (SIZE, SIZE))


def wave(frequency: float, degrees: float = 0.0, size: int = SIZE) -> np.ndarray:
    """Cycles a pixel; the crests lean from the vertical, to the right as they fall."""
    rows, columns = np.mgrid[:size, :size].astype(float)
    lean = np.radians(degrees)
    return 0.2 * np.sin(2 * np.pi * frequency * (columns * np.cos(lean) - rows * np.sin(lean)))


def test_noise_is_not_peaked_and_nearly_all_fine() -> None:
    found = statistics(noise())
    assert found["kurtosis"] == pytest.approx(np.log(3), abs=0.05)
    assert found["skewness"] == pytest.approx(0, abs=0.05)
    # What is left of white noise: 1 − 2 G(0) + Σ G², of a Gaussian kernel G.
    assert found["fine_share"] == pytest.approx((1 - 3 / (4 * np.pi * FINE**2)) ** 0.5, abs=0.01)
    assert found["unevenness"] == pytest.approx(np.log2((np.pi / 2 - 1) ** 0.5), abs=0.03)  # of |normal|
    assert statistics(gaussian_filter(noise(), 4) * 8)["fine_share"] < 0.15


def test_flakes_are_peaked_and_lean_to_the_bright_side() -> None:
    dots = (np.random.default_rng(1).random((SIZE, SIZE)) < 0.01) * 0.4
    bright, dark = statistics(dots), statistics(-dots)
    assert bright["kurtosis"] == pytest.approx(dark["kurtosis"], abs=0.01)
    assert bright["kurtosis"] > np.log(30)
    assert bright["skewness"] == pytest.approx(-dark["skewness"], abs=0.01)
    assert bright["skewness"] > 1


def test_half_the_pixels_changed_alike_is_as_uneven_as_strong() -> None:
    half = np.zeros((SIZE, SIZE))
    half[: SIZE // 2] = 0.2
    assert statistics(half)["unevenness"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("octave", [1, 2, 3, 4])
def test_a_wave_lies_in_its_octave(octave: int) -> None:
    found = statistics(wave(0.72 * 2.0**-octave))
    assert found[f"octave{octave}"] == pytest.approx(0, abs=0.02)  # all of the power
    assert max(found[f"octave{i}"] for i in range(1, 6) if i != octave) < -5


@pytest.mark.parametrize("sector", range(SECTORS))
@pytest.mark.parametrize("frequency, part", [(0.2, "fine"), (0.05, "coarse")])
def test_a_wave_lies_in_its_sector(sector: int, frequency: float, part: str) -> None:
    found = statistics(wave(frequency, 30 * sector))
    assert found[f"{part}{30 * sector:03d}"] == pytest.approx(1 - 1 / SECTORS, abs=0.03)
    assert sum(found[f"{part}{30 * i:03d}"] for i in range(SECTORS)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [-60, -20, 0, 35, 80])
def test_streaks_of_one_direction(degrees: float) -> None:
    found = statistics(wave(0.08, degrees))
    assert found["coherence_local"] > 0.95 and found["coherence_global"] > 0.95
    assert np.degrees(np.arctan2(found["leaning"], found["upright"])) / 2 == pytest.approx(degrees, abs=2)


def test_streaks_that_disagree_are_coherent_only_locally() -> None:
    both = wave(0.1)
    both[:, SIZE // 2 :] = wave(0.1, 90)[:, SIZE // 2 :]
    local, (everywhere, *_) = coherence(both)
    assert local > 0.9 and everywhere < 0.1


def textured(seed: int, stretch: float) -> np.ndarray:
    """Power falling with the square of the frequency, as photos' does; edges lie mostly at 30 degrees."""
    down, right = np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None]
    lean = np.radians(30)
    across, along = right * np.cos(lean) - down * np.sin(lean), right * np.sin(lean) + down * np.cos(lean)
    radius = np.hypot(across, stretch * along)
    radius[0, 0] = np.inf
    texture = np.fft.ifft2(np.fft.fft2(noise(seed)) / radius).real
    return 0.5 + 0.15 * texture / texture.std()


@pytest.mark.parametrize("degrees", [-70, -30, 0, 40, 90])
@pytest.mark.parametrize("length", [4, 10, 20])
def test_a_blur_s_direction_is_found_through_the_photo_s_own(degrees: float, length: int) -> None:
    texture, lean = textured(2, 1.5), np.radians(degrees)
    sweep = np.linspace(-0.5, 0.5, 64)[:, None] * length * np.array([np.cos(lean), np.sin(lean)])
    blurred = convolve(texture[..., None].astype(np.float32), trajectory_psf(sweep))[..., 0]
    local, (everywhere, upright, leaning) = lost_direction(texture, blurred)
    off = np.degrees(np.arctan2(leaning, upright)) / 2 - degrees
    assert abs((off + 90) % 180 - 90) < 12
    assert 0.22 < everywhere < 0.4 and 0.2 < local < 0.5


def test_a_lens_out_of_focus_has_no_direction() -> None:
    texture = textured(3, 1.5)
    _, (strength, *_) = lost_direction(texture, gaussian_filter(texture, 2))
    assert strength < 0.08


def test_lengths_are_those_of_a_box() -> None:
    """The autocorrelation of noise under a box is a triangle: half of it is left after half the box."""
    streaks = convolve1d(noise(4), np.ones(17) / 17 * 3, axis=0, mode="wrap")
    found = statistics(streaks)
    assert 2 ** found["length"] == pytest.approx(8.5, rel=0.2)
    assert 2 ** found["width"] == pytest.approx(0.5, abs=0.1)
    assert 2 ** statistics(noise())["length"] == pytest.approx(0.5, abs=0.1)


def test_colour_is_what_goes_beyond_grey() -> None:
    veil = np.zeros((SIZE, SIZE, 3)) + np.array([51, 102, 153]) / 255
    found, size = statistics(veil, 0.2), (0.2**2 + 0.4**2 + 0.6**2) ** 0.5 / 3**0.5
    assert found["red"] == pytest.approx(-0.2 / size, abs=1e-3)
    assert found["blue"] == pytest.approx(0.2 / size, abs=1e-3)
    assert found["chroma"] == pytest.approx((2 * 0.2**2 / 3) ** 0.5 / size, abs=1e-3)
    assert statistics(noise())["chroma"] == pytest.approx(0, abs=1e-3)


def test_brightness_tells_where_it_changed() -> None:
    ramp = np.repeat(np.repeat(np.arange(SIZE)[None] / SIZE, SIZE, axis=0)[..., None], 3, axis=2)
    found = statistics(-0.4 * ramp, ramp)
    parts = [found[f"brightness{i}"] for i in range(1, 5)]
    assert parts == pytest.approx(-np.array([1, 3, 5, 7]) / 8 * 3**0.5, abs=0.02)  # means ÷ the root mean square
    even = statistics(np.full((SIZE, SIZE), 0.1), ramp * 0.8)
    assert [even[f"brightness{i}"] for i in range(1, 5)] == pytest.approx([1, 1, 1, 1], abs=0.01)


def test_detail_tells_whether_it_changed_at_edges() -> None:
    photo = gaussian_filter(noise(5), 2) * 4 + 0.5
    slope = np.hypot(*np.gradient(photo))
    clean = np.repeat(photo[..., None], 3, axis=2)
    assert statistics(slope, clean)["detail"] > 0.97
    assert statistics(noise(6) * 0.3, clean)["detail"] == pytest.approx(0, abs=0.05)


def test_no_change_has_no_statistics_and_sizes_must_fit() -> None:
    assert not any(statistics(np.zeros((SIZE, SIZE))).values())
    image = np.zeros((80, 80, 3), np.uint8)
    for one, other in ((image, image[:70]), (image[:60], image[:60])):
        with pytest.raises(ValueError, match="64 pixels at least"):
            change_statistics(one, other)


@pytest.mark.parametrize("shape", [(64, 65), (97, 130), (256, 171)])
def test_any_size_gives_finite_numbers(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, 256, (*shape, 3), np.uint8) for _ in range(2))
    for blur in (False, True):
        found = change_statistics(one, other, blur)
        assert found.shape == (len(NAMES),) and np.isfinite(found).all()
    flat = np.full((*shape, 3), 200, np.uint8)
    assert np.isfinite(change_statistics(flat, other, True)).all()
    assert np.isfinite(change_statistics(one, flat, True)).all()
