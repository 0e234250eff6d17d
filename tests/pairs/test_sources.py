"""Where halves lie: patterns over paths, and a miniature of every published layout that is known."""

from pathlib import Path

import pytest

from gendeg.pairs.sources import Layout, find_couples, find_source, load_source, load_sources, parallel_layout
from gendeg.primitives.errors import BadManifest, BadOption, UnknownSource
from gendeg.primitives.kinds import parse_mix
from gendeg.prompts import make_prompt

MINIATURES: dict[str, list[tuple[str, str, str]]] = {  # degraded, clean, split (and degradation, where it is another)
    "reside": [
        ("ITS/hazy/12_3_0.91.png", "ITS/clear/12.png", "train"),
        ("OTS/haze/part1/0025_0.85_0.1.jpg", "OTS/clear/0025.jpg", "train"),
        ("SOTS/indoor/hazy/1400_1.png", "SOTS/indoor/gt/1400.png", "test"),
        ("SOTS/outdoor/hazy/0001_0.8_0.2.jpg", "SOTS/outdoor/clear/0001.png", "test"),
    ],
    "cityscapesfog": [
        ("leftImg8bit_foggy/val/bonn/bonn_000001_000019_leftImg8bit_foggy_beta_0.02.png",
         "leftImg8bit/val/bonn/bonn_000001_000019_leftImg8bit.png", "validation"),
    ],
    "densehaze": [("hazy/01_hazy.png", "GT/01_GT.png", "")],
    "nhhaze": [("01_hazy.png", "01_GT.png", "")],
    "ihaze": [("hazy/01_indoor_hazy.jpg", "GT/01_indoor_GT.jpg", "")],
    "ohaze": [("# O-HAZY NTIRE 2018/hazy/01_outdoor_hazy.jpg", "# O-HAZY NTIRE 2018/GT/01_outdoor_GT.jpg", "")],
    "rain13k": [
        ("train/Rain13K/input/1.jpg", "train/Rain13K/target/1.jpg", "train"),
        ("test/Rain100H/input/1.png", "test/Rain100H/target/1.png", "test"),
    ],
    "rain1400": [
        ("rainy_image_dataset/training/rainy_image/900_14.jpg",
         "rainy_image_dataset/training/ground_truth/900.jpg", "train"),
        ("rainy_image_dataset/testing/rainy_image/901_1.jpg",
         "rainy_image_dataset/testing/ground_truth/901.jpg", "test"),
    ],
    "rainds": [
        ("RainDS_real/train_set/raindrop/4.png", "RainDS_real/train_set/gt/4.png", "train"),
        ("RainDS_syn/test/rainstreak/pie-rain-7.png", "RainDS_syn/test/gt/pie-norain-7.png", "test"),
    ],
    "ord": [("train/in/im_0001_s80_a04.png", "train/gt/im_0001.png", "train")],
    "realrain1k": [("RealRain-1k-L/training/input/3.png", "RealRain-1k-L/training/target/3.png", "train")],
    "spac": [("train/rain/0_17.png", "train/norain/0_17.png", "train")],
    "snow100k": [
        ("all/synthetic/beautiful_smile_00003.jpg", "all/gt/beautiful_smile_00003.jpg", "train"),
        ("media/jdway/Snow100K-L/synthetic/city_02.jpg", "media/jdway/Snow100K-L/gt/city_02.jpg", "test"),
    ],
    "csd": [("Train/Snow/1.tif", "Train/Gt/1.tif", "train"), ("Test/Snow/2.tif", "Test/Gt/2.tif", "test")],
    "cityscapessnow": [("train/Large/Snow/a_000_001.png", "train/Large/Gt/a_000_001.png", "train")],
    "realblur": [("RealBlur-J_ECC/scene001/blur/blur_1.png", "RealBlur-J_ECC/scene001/gt/gt_1.png", "")],
    "hide": [
        ("train/0fromGOPR0950.png", "GT/0fromGOPR0950.png", "train"),
        ("test/test-close-ups/12.png", "GT/12.png", "test"),
    ],
    "reds": [("train_blur/000/00000007.png", "train_sharp/000/00000007.png", "train")],
    "gopro": [("train/GOPR0372_07_00/blur/000047.png", "train/GOPR0372_07_00/sharp/000047.png", "train")],
    "lol": [("our485/low/2.png", "our485/high/2.png", "train"), ("eval15/low/1.png", "eval15/high/1.png", "test")],
    "lolv2": [
        ("Real_captured/Train/Low/low00001.png", "Real_captured/Train/Normal/normal00001.png", "train"),
        ("Synthetic/Test/Low/r00816405t.png", "Synthetic/Test/Normal/r00816405t.png", "test"),
    ],
    "sid": [("short/00001_00_0.1s.png", "long/00001_00_10s.png", ""),
            ("short/00002_01_0.04s.png", "long/00002_00_30s.png", "")],
    "raindrop": [("train/data/0_rain.png", "train/gt/0_clean.png", "train"),
                 ("test_a/data/1_rain.png", "test_a/gt/1_clean.png", "test")],
}  # fmt: skip
OTHER_KIND = {"RainDS_real/train_set/raindrop/4.png": "raindrop"}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_every_known_source_has_its_miniature():
    assert set(MINIATURES) == set(load_sources())


@pytest.mark.parametrize("name", MINIATURES)
def test_a_miniature_of_the_published_layout(tmp_path, name):
    expected = MINIATURES[name]
    for degraded, clean, _ in expected:
        touch(tmp_path / "anywhere", degraded, clean)
    root = tmp_path / "anywhere"
    touch(root, "readme.txt", "notes/picture.png", ".hidden/hazy/1_hazy.png")
    couples, lonely = find_couples(tmp_path, find_source(name).layouts)
    found = {(str(c.degraded.relative_to(root)), str(c.clean.relative_to(root)), c.split) for c in couples}
    assert found == set(expected) and lonely == []
    for couple in couples:
        kind = OTHER_KIND.get(str(couple.degraded.relative_to(root)))
        assert kind is None or couple.degradation == kind


def test_many_degraded_to_one_clean_and_one_that_has_none(tmp_path):
    touch(tmp_path, "rainy/a_1_rain.png", "rainy/a_2_rain.jpg", "rainy/b_1_rain.png", "gt/a_clean.png",
          "gt/c_clean.png", "gt/readme.png", "other/d_clean.png")  # fmt: skip
    couples, lonely = find_couples(tmp_path, [parallel_layout("rainy/{id}_{n}_rain.png", "gt/{id}_clean.png")])
    assert [(c.degraded.name, c.clean.name) for c in couples] == [
        ("a_1_rain.png", "a_clean.png"), ("a_2_rain.jpg", "a_clean.png")
    ]  # fmt: skip
    assert [(one.path.name, one.lacks) for one in lonely] == [("b_1_rain.png", "clean"), ("c_clean.png", "degraded")]


def test_links_are_followed_but_not_back_to_where_one_is(tmp_path):
    touch(tmp_path / "mine", "clear/1.png", "far/2.png")
    touch(tmp_path / "elsewhere", "1.png", "2.png")
    (tmp_path / "mine/hazy").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "mine")
    (tmp_path / "mine/clear/up").symlink_to(tmp_path)
    (tmp_path / "mine/far/side").symlink_to("../clear")
    couples, _ = find_couples(tmp_path / "mine", [parallel_layout("hazy/{id}", "clear/{id}")])
    assert [str(couple.degraded.relative_to(tmp_path)) for couple in couples] == ["mine/hazy/1.png"]


def test_of_two_clean_files_the_one_of_the_same_kind(tmp_path):
    touch(tmp_path, "in/1.png", "gt/1.jpg", "gt/1.png")
    (couple,), _ = find_couples(tmp_path, [Layout("", "in/{id}", "gt/{id}")])
    assert couple.clean.name == "1.png"


@pytest.mark.parametrize(
    ("degraded", "clean", "says"),
    [
        ("rain/all", "gt/all", r"no \{id\} is in the degraded pattern"),
        ("rain/{id}", "gt/{id}_{n}", r"\{n\} is not in the degraded pattern"),
        ("rain/{id", "gt/{id}", "a brace that does not belong"),
        ("rain/{id}", "gt/{ID}", "a brace that does not belong"),
    ],
)
def test_patterns_that_cannot_be_matched(degraded, clean, says):
    with pytest.raises(BadOption, match=f"^--degraded.*{says}"):
        parallel_layout(degraded, clean)


def test_names_are_found_whatever_their_spelling():
    assert find_source("NH-HAZE") == find_source("nh_haze") == find_source("nhhaze")
    with pytest.raises(UnknownSource, match="unknown source 'imagenet'; known layouts: .*reside"):
        find_source("imagenet")


def test_published_weights():
    """As GenDeg draws its sources: ORD, DenseHaze, NH-HAZE, I-HAZE and SID less often than their equal share."""
    weights = {name: source.weight for name, source in load_sources().items() if source.weight != 1}
    assert weights == {"ord": 0.2, "densehaze": 0.05, "nhhaze": 0.1, "ihaze": 0.25, "sid": 0.2}


def test_what_they_call_mixes():
    """GenDeg trains on ORD as "rainy and hazy", on CSD as "snowy and hazy", and generates them so."""
    mixes = {name: source.degradation for name, source in load_sources().items() if "+" in source.degradation}
    assert mixes == {"ord": "rain+haze", "csd": "snow+haze"}
    phrases = [make_prompt("a street", parse_mix(kind)) for kind in mixes.values()]
    assert sorted(phrases) == ["a street, in rainy and hazy conditions", "a street, in snowy and hazy conditions"]


def test_published_statistics():
    """Of the sources that GenDeg was trained on: the pairs of each degradation."""
    published = [row for source in load_sources().values() for row in source.published.items()]
    pairs = {kind: sum(count for name, (_, _, count) in published if name == kind) for kind, _ in published}
    assert len(published) == 21
    assert pairs == {"haze": 80_184, "rain": 37_657, "snow": 59_413, "motion_blur": 33_855, "low_light": 1_391,
                     "raindrop": 1_661}  # fmt: skip
    assert find_source("RESIDE").published == {"haze": (0.115, 0.069, 71459)}
    assert set(find_source("RainDS").published) == {"rain", "raindrop"}


@pytest.mark.parametrize(
    "text",
    ["name = 'x'", "name = 'x'\ndegradation = 'fog'\nlayouts = []", "not toml",
     "name = 'x'\ndegradation = 'haze'\nlayouts = [['a']]",
     "name = 'x'\ndegradation = 'haze'\nlayouts = []\npublished = { haze = [0.1] }",
     "name = 'x'\ndegradation = 'haze'\nlayouts = [['often', 'a/{id}', 'b/{id}']]"],
)  # fmt: skip
def test_a_description_that_is_none(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(BadManifest):
        load_source(tmp_path / "x.toml")
