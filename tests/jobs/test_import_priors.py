"""gendeg priors import: a miniature of the authors' folder → priors that plans read, with weights and warnings."""

import numpy as np
import pytest

from gendeg.configs import ImportPriorsConfig
from gendeg.intensity.ask import ask_statistics
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.draw import Drawer
from gendeg.intensity.priors import load_priors, mixture
from gendeg.jobs.fit_priors import plot_priors, tabulate_priors
from gendeg.jobs.import_priors import import_priors
from gendeg.primitives.errors import BadOption, NoPrior, OutputExists
from gendeg.primitives.kinds import parse_mix
from tests.histograms import spread, write_histograms


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("authors")
    write_histograms(root, "low-light", {"LOLv2": spread(0.180, 0.112, 547), "SID": spread(0.187, 0.163, 844)})
    write_histograms(root, "snow", {"CSD": spread(0.162, 0.109, 7617), "Mine": spread(0.3, 0.1, 10)})
    return root


def test_priors_are_written_with_the_published_weights(data, tmp_path):
    made = import_priors(ImportPriorsConfig(data, tmp_path))
    names = ("low_light/LOLv2", "low_light/SID", "snow+haze/CSD", "snow/Mine")
    assert made.written == [tmp_path / f"{name}.json" for name in names]
    lol, sid = load_priors(parse_mix("low-light"), tmp_path)
    assert (lol.weight, sid.weight, lol.pairs, sid.pairs) == (1.0, 0.2, 547, 844)
    both = mixture([lol, sid])
    assert both.sum() == pytest.approx(1)
    assert [prior.source for prior in load_priors(parse_mix("snow+haze"), tmp_path)] == ["CSD"]
    assert [prior.source for prior in load_priors(parse_mix("snow"), tmp_path)] == ["Mine"], "theirs is the mix alone"


def test_a_source_of_several_degradations_keeps_its_folder_s(tmp_path):
    for name in ("rain", "raindrop"):
        write_histograms(tmp_path / "data", name, {"RainDS": spread(0.054, 0.056, 50)})
    write_histograms(tmp_path / "more", "rain", {"ORD": spread(0.182, 0.112, 50)})
    write_histograms(tmp_path / "more", "haze", {"ORD": spread(0.182, 0.112, 50)})
    for name in ("data", "more"):
        import_priors(ImportPriorsConfig(tmp_path / name, tmp_path / "out", overwrite=True))
    found = sorted(str(path.relative_to(tmp_path / "out").parent) for path in (tmp_path / "out").rglob("*.json"))
    assert found == ["rain", "rain+haze", "raindrop"]


def drawn_low_light(data, tmp_path, count=20_000):
    """Of `priors import` and of its two sources, uniform numbers and what is drawn by them; every 20th evenly."""
    import_priors(ImportPriorsConfig(data, tmp_path))
    drawer = Drawer(load_priors(parse_mix("low-light"), tmp_path))
    even = (np.arange(count) + 1) % 20 == 0
    return drawer, even, drawer.from_priors(np.random.default_rng(1).uniform(size=(count, 3)), even)


def test_draws_fall_where_the_authors_tables_have_pairs(data, tmp_path):
    drawer, even, drawn = drawn_low_light(data, tmp_path)
    filled = np.array([prior.density() > 0 for prior in drawer.priors])
    has_pairs = filled[drawn.source, MU_BINS.index(drawn.mu), SIGMA_BINS.index(drawn.sigma)]
    assert has_pairs[~even].all()
    assert has_pairs[even].mean() < 0.5, "even draws fill the rectangle, not its diagonal"


def test_sigma_has_the_frequencies_of_its_row(data, tmp_path):
    drawer, even, drawn = drawn_low_light(data, tmp_path, 100_000)
    row = int(MU_BINS.index(np.array([0.19]))[0])
    wanted = sum(p.density() for p in drawer.priors)[row]
    here = ~even & (MU_BINS.index(drawn.mu) == row)
    seen = np.bincount(SIGMA_BINS.index(drawn.sigma[here]), minlength=128) / here.sum()
    assert here.sum() > 1000 and np.abs(seen - wanted / wanted.sum()).max() < 4 * np.sqrt(0.25 / here.sum())


def test_even_draws_are_even_in_sigma_over_the_source_s_own_pairs(data, tmp_path):
    drawer, even, drawn = drawn_low_light(data, tmp_path, 40_000)
    own = {"LOLv2": spread(0.180, 0.112, 547)[1], "SID": spread(0.187, 0.163, 844)[1]}
    for number, prior in enumerate(drawer.priors):
        low, high = own[prior.source].min(), own[prior.source].max()
        sigma = drawn.sigma[even & (drawn.source == number)]
        assert low - SIGMA_BINS.width < sigma.min() and sigma.max() < high + SIGMA_BINS.width
        assert np.abs(np.quantile(sigma, (0.25, 0.5, 0.75)) - np.linspace(low, high, 5)[1:4]).max() < 0.03


def test_mu_that_is_asked_for_meets_its_row_or_the_nearest(data, tmp_path):
    import_priors(ImportPriorsConfig(data, tmp_path))
    (csd,) = load_priors(parse_mix("snow+haze"), tmp_path)
    rows = csd.density()
    for mu in (0.1501, 0.1519, 28.0001 * MU_BINS.width):
        row = rows[int(MU_BINS.index(np.array([mu]))[0])]
        middle = int(np.searchsorted(np.cumsum(row) / row.sum(), 0.5))
        asked = ask_statistics(parse_mix("snow+haze"), mu, None, priors=str(tmp_path))
        assert int(SIGMA_BINS.index(np.array([asked.sigma]))[0]) == middle and asked.mu == mu
    last = rows[np.flatnonzero(rows.sum(axis=1))[-1]]
    far = ask_statistics(parse_mix("snow+haze"), 0.69, None, priors=str(tmp_path))
    assert last[int(SIGMA_BINS.index(np.array([far.sigma]))[0])] > 0


def test_the_table_compares_and_warns(data, tmp_path):
    made = import_priors(ImportPriorsConfig(data, tmp_path))
    row = next(line.split() for line in made.table.splitlines() if " LOLv2 " in line)
    assert row[2] == "547" and row[6:9] == ["547", "0.180", "0.112"] and float(row[3]) == pytest.approx(0.18, abs=0.005)
    assert made.warnings == ["snow Mine: no published numbers to compare with"]


def test_numbers_that_are_not_the_published_ones(tmp_path):
    write_histograms(tmp_path / "data", "haze", {"RESIDE": spread(0.3, 0.2, 100)})
    warnings = import_priors(ImportPriorsConfig(tmp_path / "data", tmp_path / "out")).warnings
    assert [line.split(": ")[1].split(" is ")[0] for line in warnings] == [
        "mean mu", "mean sigma", "counts 100 pairs, published are 71459"
    ]  # fmt: skip
    assert "published is 0.115" in warnings[0]


def test_nothing_is_overwritten_unasked(data, tmp_path):
    import_priors(ImportPriorsConfig(data, tmp_path))
    (tmp_path / "low_light" / "LOLv2.json").unlink()
    with pytest.raises(OutputExists):
        import_priors(ImportPriorsConfig(data, tmp_path))
    assert not (tmp_path / "low_light" / "LOLv2.json").exists()
    assert len(import_priors(ImportPriorsConfig(data, tmp_path, overwrite=True)).written) == 4


def test_what_an_earlier_import_left_is_said(data, tmp_path):
    import_priors(ImportPriorsConfig(data, tmp_path))
    (tmp_path / "snow" / "CSD.json").write_bytes((tmp_path / "snow+haze" / "CSD.json").read_bytes())
    warnings = import_priors(ImportPriorsConfig(data, tmp_path, overwrite=True)).warnings
    assert any("CSD.json: of an earlier import" in line for line in warnings)


def test_they_are_shown(data, tmp_path):
    import_priors(ImportPriorsConfig(data, tmp_path / "my"))
    lines = tabulate_priors(tmp_path / "my").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["snow", "Mine", "10"], ["low_light", "LOLv2+SID", "1391"], ["snow+haze", "CSD", "7617"]
    ]  # fmt: skip
    plot_priors(tmp_path / "my", tmp_path / "plots" / "p.svg")
    text = (tmp_path / "plots" / "p.svg").read_text()
    assert text.startswith("<?xml") and "</svg>" in text
    with pytest.raises(BadOption, match=r"must end in \.png, \.svg, \.pdf"):
        plot_priors(tmp_path / "my", tmp_path / "p.jpg")
    with pytest.raises(NoPrior):
        plot_priors(tmp_path / "empty", tmp_path / "p.png")
