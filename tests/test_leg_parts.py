"""A model as parts and back, at any moment of its being written again."""

from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.parts import INDEX, join_parts, read_parts, write_parts
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives import files
from gendeg.primitives.errors import BadModel
from tests.tiny import tiny_pipeline


def fake_model(folder: Path, letter: str, size: int = 900) -> Path:
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    (folder / "unet" / "weights.safetensors").write_bytes(letter.encode() * size)
    (folder / "model_index.json").write_text("{}")
    return folder


def weights(folder: Path) -> str:
    return (folder / "unet" / "weights.safetensors").read_text()[:1]


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "model")
    out = tmp_path / "parts"
    out.mkdir()
    made = write_parts(tmp_path / "model", out, {"step": 7}, largest=400_000)
    assert 2 <= len(made.files) <= 3 and max(p.stat().st_size for p in out.iterdir()) <= 400_000
    assert join_parts(out, tmp_path / "again").notes == {"step": 7}
    before, after = (model_sha256(load_pipeline(str(tmp_path / name))) for name in ("model", "again"))
    assert before == after


@pytest.mark.parametrize("moment", range(5))
def test_stopped_at_any_file_one_generation_is_whole(
    tmp_path: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after `moment` files of its third writing; a tar of 10,240 bytes is three parts."""
    out = tmp_path / "parts"
    out.mkdir()
    for letter in "xy":
        write_parts(fake_model(tmp_path / "model", letter), out, {"letter": letter}, largest=4000)
    assert len(list(out.iterdir())) == 7
    fake_model(tmp_path / "model", "z")
    left, write = [moment], files.atomic_write

    def dying(path: Path, content: bytes | str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, content)

    for place in ("benchmarks.parts", "gendeg.primitives.files"):  # the parts, and the index
        monkeypatch.setattr(f"{place}.atomic_write", dying)
    with suppress(KeyboardInterrupt):
        write_parts(tmp_path / "model", out, {"letter": "z"}, largest=4000)
    expected = "y" if moment < 4 else "z"
    assert join_parts(out, tmp_path / "again").notes == {"letter": expected}
    assert weights(tmp_path / "again") == expected
    assert len(list(out.iterdir())) <= 8


def test_a_large_model_has_one_generation_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    out, model = tmp_path / "parts", tmp_path / "model"
    out.mkdir()
    for letter in "xyz":
        write_parts(fake_model(model, letter), out, {}, most=5, largest=4000)
        assert len(list(out.iterdir())) == 4
        join_parts(out, tmp_path / "again")
        assert weights(tmp_path / "again") == letter
    with pytest.raises(BadModel, match="takes 11 parts"):
        write_parts(model, out, {}, most=5, largest=1000)


def test_a_damaged_or_missing_part_is_said(tmp_path: Path) -> None:
    out = tmp_path / "parts"
    out.mkdir()
    with pytest.raises(BadModel, match=INDEX):
        join_parts(out, tmp_path / "again")
    made = write_parts(fake_model(tmp_path / "model", "x"), out, {}, largest=4000)
    assert read_parts(out) == made
    (out / next(iter(made.files))).write_bytes(b"cut")
    with pytest.raises(BadModel, match="missing, or not the one"):
        join_parts(out, tmp_path / "again")
    assert not (tmp_path / "again").exists()
