"""gendeg pairs show: a table by degradation and source, and a sheet that survives a missing image."""

from gendeg.pairs.pair import listed, write_manifest
from gendeg.pairs.show import show_pairs
from gendeg.primitives.images import read_rgb, write_image
from tests.tiny import photo


def test_table_and_sheet_with_an_image_missing(tmp_path, capsys):
    for number in range(3):
        write_image(photo(24, 32, seed=number), tmp_path / f"c{number}.png", "png")
        write_image(photo(24, 32, seed=number) // 2, tmp_path / f"d{number}.png", "png")
    (tmp_path / "d1.png").unlink()
    rows = [
        listed(tmp_path, f"c{n}.png", f"d{n}.png", "rain", "mine", "train", "", 0.1 * (n + 1), 0.05, 32, 24)
        for n in range(3)
    ]
    write_manifest(tmp_path / "m.jsonl", rows)
    table = show_pairs(tmp_path / "m.jsonl", tmp_path / "sheet.png")
    head, line = table.splitlines()
    assert head.split()[:3] == ["degradation", "source", "pairs"] and line.split()[:3] == ["rain", "mine", "3"]
    assert line.split()[5] == "0.2000", "the median of mu"
    assert read_rgb(tmp_path / "sheet.png").shape[1] > 32
    assert "d1.png" in capsys.readouterr().err
