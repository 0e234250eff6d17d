"""The authors' histograms: a miniature in their form is read, drawn from as they draw, refused where it is wrong."""

import json
import re

import numpy as np
import pytest

from gendeg.intensity.ask import intensity_to_statistics
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.priors import load_prior, save_prior
from gendeg.primitives.errors import BadManifest, MissingPath
from gendeg.priors.published import read_published
from tests.histograms import spread, write_histograms

FEW = (np.array([0.1001, 0.1001, 0.3001]), np.array([0.0501, 0.0501, 0.2001]))
MANY = (np.full(97, 0.1001), np.full(97, 0.0801))


@pytest.fixture
def folder(tmp_path):
    write_histograms(tmp_path / "data", "motion blur", {"Few": FEW, "Many-1": MANY})
    return tmp_path / "data"


def test_mu_is_the_source_s_and_sigma_given_mu_is_of_all(folder):
    (few, many), unused = read_published(folder)
    assert (few.degradation, few.source, many.source, unused) == ("motion_blur", "Few", "Many-1", [])
    prior = few.prior(0.5)
    # mu 0.1001 is bin 18, 0.3001 bin 54; sigma 0.0501, 0.0801, 0.2001 are bins 16, 25, 64.
    assert prior.counts == pytest.approx({(18, 16): 2 * 2 / 99, (18, 25): 2 * 97 / 99, (54, 64): 1.0}, abs=1e-6)
    assert (prior.pairs, prior.weight, prior.degradation) == (3, 0.5, "motion_blur")
    assert many.prior(1.0).pairs == 97


def test_means(folder):
    few = read_published(folder)[0][0]
    assert few.mean_mu == pytest.approx(0.5 / 3, abs=MU_BINS.width / 2)
    assert few.mean_sigma == pytest.approx(0.1, abs=SIGMA_BINS.width / 2)
    assert few.mean_drawn_sigma == pytest.approx((2 * (0.05 * 2 + 0.08 * 97) / 99 + 0.2) / 3, abs=SIGMA_BINS.width / 2)


def test_a_prior_of_shares_is_written_read_and_drawn_from(folder, tmp_path):
    prior = read_published(folder)[0][0].prior(1.0)
    loaded = load_prior(save_prior(prior, tmp_path))
    assert loaded == prior and loaded.density().sum() == pytest.approx(1)
    asked = intensity_to_statistics(loaded.density(), 0.9)
    assert asked.mu == pytest.approx(0.3001, abs=MU_BINS.width)
    assert asked.sigma == pytest.approx(0.2001, abs=SIGMA_BINS.width)


def test_a_degradation_s_folder_alone_and_both_spellings(folder):
    (folder / "motion blur" / "Mu-Sigma-_Few.json").rename(folder / "motion blur" / "Mu-Sigma-Few.json")
    assert [one.source for one in read_published(folder / "motion blur")[0]] == ["Few", "Many-1"]


def test_what_belongs_to_no_source_is_named(folder):
    extra = folder / "motion blur" / "mu_sigma_weighted_rain.json"
    extra.write_text("{}")
    assert read_published(folder)[1] == [extra]


def test_without_the_file_of_sigma(folder):
    before = read_published(folder)[0][0]
    (folder / "motion blur" / "Sigma_Few.json").unlink()
    few = read_published(folder)[0][0]
    assert few.sigma is None and few.prior(1.0) == before.prior(1.0)
    assert few.mean_sigma == few.mean_drawn_sigma == before.mean_drawn_sigma


def test_a_realistic_source_keeps_its_shape(tmp_path):
    mu, sigma = spread(0.115, 0.069, 5000)
    write_histograms(tmp_path, "haze", {"RESIDE": (mu, sigma)})
    ((one,), _) = read_published(tmp_path)
    for q in (0.1, 0.5, 0.9):
        assert intensity_to_statistics(one.prior(1.0).density(), q).mu == pytest.approx(np.quantile(mu, q), abs=0.004)
    assert one.mean_drawn_sigma == pytest.approx(sigma.mean(), abs=0.002)


def edit(path, change):
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(change(rows) or rows))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("Mu_Few", lambda rows: rows[:-1], "not a list of 128 bins"),
        ("Mu_Few", lambda rows: {"bins": rows}, "not a list of 128 bins"),
        ("Mu_Few", lambda rows: rows[3].update({"Mu max": 0.03}), "mu bin 3 is not 0.016406 to 0.021875"),
        ("Mu_Few", lambda rows: rows[3].pop("Mu min") and None, "mu bin 3 is not"),
        ("Mu_Few", lambda rows: rows[3].update(Count=-1), "counts -1"),
        ("Mu_Few", lambda rows: rows[3].update(Count=0.5), "counts 0.5"),
        ("Mu_Few", lambda rows: rows[3].update(Dataset="Other"), "same plain 'Dataset'"),
        ("Mu_Few", lambda rows: [row | {"Dataset": "Other"} for row in rows], "is about Other, not Few"),
        ("Mu_Few", lambda rows: [row | {"Count": 0} for row in rows], "no pairs"),
        ("Mu_Few", lambda rows: rows[90].update(Count=2), "no sigma for the pairs whose mu lies in bin 90"),
        ("Sigma_Few", lambda rows: rows[9].update(Count=7), "counts 10 pairs where Mu_Few.json counts 3"),
        ("Mu-Sigma-_Few", lambda rows: rows[5].update({"Mu range": "0.1 - 0.2"}), "mu bin 5 is '0.1 - 0.2'"),
        ("Mu-Sigma-_Few", lambda rows: rows[5].update({"Mu range": None}), "not '0.027 - 0.033'"),
        ("Mu-Sigma-_Few", lambda rows: rows[5].update(Count=3), "a histogram of sigma needs 128 bins"),
        ("Mu-Sigma-_Few", lambda rows: rows[5]["Count"].pop() and None, "a histogram of sigma needs 128 bins"),
        ("Mu-Sigma-_Few", lambda rows: [row | {"Dataset": "../x"} for row in rows], "same plain 'Dataset'"),
        ("Mu-Sigma-_Few", lambda rows: [row | {"Dataset": "Many-1"} for row in rows], "twice"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(folder, name, change, says):
    edit(folder / "motion blur" / f"{name}.json", change)
    with pytest.raises(BadManifest, match=re.escape(says)):
        read_published(folder)


def test_folders_and_files_that_are_none(folder, tmp_path):
    with pytest.raises(MissingPath):
        read_published(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadManifest, match="no Mu-Sigma"):
        read_published(tmp_path / "empty")
    (folder / "motion blur" / "Mu_Few.json").write_text("[")
    with pytest.raises(BadManifest, match="not JSON"):
        read_published(folder)
    (folder / "motion blur" / "Mu_Few.json").unlink()
    with pytest.raises(MissingPath, match="Mu_Few"):
        read_published(folder)
    (folder / "motion blur").rename(folder / "fog")
    with pytest.raises(BadManifest, match="its folder 'fog'"):
        read_published(folder)
