"""gendeg curate and gendeg evaluate gap from outside: two words are one command, and bad input is one line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gendeg.cli.app import app, main
from tests.few_pairs import write_pairs


@pytest.mark.parametrize("words", [["evaluate", "--help"], ["evaluate", "bundled", "--help"]])
def test_evaluate_is_the_command_it_was_and_names_the_other(words: list[str]) -> None:
    shown = CliRunner().invoke(app, words, terminal_width=200)
    text = " ".join(shown.output.split())
    assert shown.exit_code == 0
    assert "[model]" in text and "--clean" in text and "gendeg evaluate gap" in text and "--synthetic" not in text


def test_gap_has_a_help_of_its_own_and_stands_in_the_list() -> None:
    shown = CliRunner().invoke(app, ["evaluate", "gap", "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert "--synthetic" in shown.output and "--clean" not in shown.output
    assert "evaluate gap" in CliRunner().invoke(app, ["--help"], terminal_width=200).output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["evaluate"], 2, "gendeg evaluate --help"),
        (["evaluate", "gap"], 2, "gendeg evaluate gap --help"),
        (["evaluate", "gap", "--synthetic", "none", "--real", "none"], 1, "no such file"),
        (["evaluate", "gap", "--synthetic", ".", "--real", ".", "--also", "x"], 2, "NAME=PLACE"),
        (["evaluate", "gap", "--synthetic", ".", "--real", "."], 1, "no photo in it can be used"),
        (["curate"], 2, "gendeg curate --help"),
        (["curate", "none.jsonl", "--out", "c.jsonl"], 1, "no such file"),
        (["curate", ".", "--out", "c.jsonl"], 1, "not a dataset"),
        (["curate", "empty.jsonl", "--out", "c.jsonl"], 1, "no pairs"),
        (["curate", "bad.jsonl", "--out", "c.jsonl"], 1, "line 1"),
        (["curate", "empty.jsonl", "--out", "c.jsonl", "--range", "mu"], 2, "NAME=LOW:HIGH"),
        (["curate", "empty.jsonl", "--out", "c.jsonl", "--balance", "--samples", "3"], 2, "--balance"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "bad.jsonl").write_text('{"clean": 3}\n')
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, err = capsys.readouterr()
    assert stop.value.code == code, err
    assert says in err and len(err.strip().splitlines()) == 1
    assert out == ""


def test_curate_prints_its_table_and_writes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["curate", "manifest.jsonl", "--out", "c.jsonl", "--samples", "4", "--autoencoder-steps", "0"])
    out, err = capsys.readouterr()
    assert stop.value.code == 0
    assert out.count("haze") == out.count("low_light") == 2
    assert "4 dropped: beyond --samples" in err and "6 of 10 pairs in c.jsonl (2 held out)" in err
    for name in ("c.jsonl", "c.report.json", "c.dropped.jsonl", "c.measures.jsonl"):
        assert (tmp_path / name).is_file()
