"""gendeg priors import: a miniature of the authors' folder → priors that plans read, with weights and warnings."""

import pytest

from gendeg.configs import ImportPriorsConfig
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
    names = ("low_light/LOLv2", "low_light/SID", "snow/CSD", "snow+haze/CSD", "snow/Mine")
    assert made.written == [tmp_path / f"{name}.json" for name in names]
    lol, sid = load_priors(parse_mix("low-light"), tmp_path)
    assert (lol.weight, sid.weight, lol.pairs, sid.pairs) == (1.0, 0.2, 547, 844)
    both = mixture([lol, sid])
    assert both.sum() == pytest.approx(1)
    assert [prior.source for prior in load_priors(parse_mix("snow+haze"), tmp_path)] == ["CSD"]


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
    assert len(import_priors(ImportPriorsConfig(data, tmp_path, overwrite=True)).written) == 5


def test_they_are_shown(data, tmp_path):
    import_priors(ImportPriorsConfig(data, tmp_path / "my"))
    lines = tabulate_priors(tmp_path / "my").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["snow", "CSD+Mine", "7627"], ["low_light", "LOLv2+SID", "1391"], ["snow+haze", "CSD", "7617"]
    ]  # fmt: skip
    plot_priors(tmp_path / "my", tmp_path / "plots" / "p.svg")
    text = (tmp_path / "plots" / "p.svg").read_text()
    assert text.startswith("<?xml") and "</svg>" in text
    with pytest.raises(BadOption, match=r"must end in \.png, \.svg, \.pdf"):
        plot_priors(tmp_path / "my", tmp_path / "p.jpg")
    with pytest.raises(NoPrior):
        plot_priors(tmp_path / "empty", tmp_path / "p.png")
