from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from tests_support.run_maker import BROKEN, CLEAN, UNDECLARED, certificate, make_run

from serbench.api import StoreError
from serbench.protocol.guard.certificate import TeacherRecord
from serbench.results.figure.png import drawn
from serbench.results.report.build import report_texts
from serbench.results.report.confusions import confusion_figure
from serbench.results.report.marks import LEAKS, mark, warning_lines
from serbench.results.report.results import load_results
from serbench.results.report.scores import scores_figure
from serbench.results.report.write import render_comparison, write_report
from serbench.settings import PROPER, ProtocolName

SKILL = {"akd": 0.9, "kd": 0.4, "teacher:w": 0.95}
COMPARING = re.compile(r"better|worse|ΔUA|Delta|delta|verdict|reference|tell apart", re.IGNORECASE)
L10 = "better than chance on permuted labels"
NASTY = TeacherRecord(teacher="w|b_x & <co>", status="undeclared", trained_on=())


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("runs") / "bad", SKILL, protocol="leaky-random")
    write_report([folder], folder)
    return folder


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text that the report wrote."""
    written = [folder / "report.md", folder / "certificate.md", *(folder / "tables").iterdir()]
    for path in written:
        yield path.name, path.read_text()


def shown(*folders: Path, width: int = 80) -> str:
    written = io.StringIO()
    Console(width=width, file=written).print(render_comparison(*folders))
    return written.getvalue()


def test_every_file_of_a_leaky_run_says_so(leaky: Path) -> None:
    said = mark("leaky-random")
    names = [name for name, _ in texts(leaky)]
    assert len(names) == 2 + 4 * 8 + 2  # and two files that only one of the four kinds has
    for name, text in texts(leaky):
        if name.endswith(".csv"):
            assert set(pd.read_csv(io.StringIO(text))["protocol"]) == {"leaky-random"}, name
        else:
            assert said in text, name
        if name.endswith(".tex"):
            assert rf"\caption{{{said}. " in text, name
        if name.endswith(".md"):
            captions = re.findall(r"^\*\*(.*)\*\*$", text, re.MULTILINE)
            assert all(caption.startswith(said) for caption in captions), name
    title = (leaky / "report.md").read_text().splitlines()[0]
    assert title == f"# {said}. emodb: akd, kd"


def test_nothing_of_a_leaky_run_compares(leaky: Path) -> None:
    for name, text in texts(leaky):
        assert not COMPARING.search(text.replace(L10, "")), name
    assert not COMPARING.search(shown(leaky))
    assert COMPARING.search(shown(make_run(leaky.parent / "good", SKILL)))


def test_the_report_says_what_is_broken_and_claims_no_clean_folds(leaky: Path) -> None:
    text = (leaky / "report.md").read_text()
    assert "4 random outer folds · protocol leaky-random: test speakers seen" in text
    assert "no speaker on both sides" not in text
    assert re.search(
        r"- akd reaches .*, but under leaky-random: test speakers seen in training\.", text
    )
    assert "speakers on both sides of outer-1: 8" in text


@pytest.mark.parametrize("protocol", list(BROKEN))
def test_every_leaky_protocol_is_marked_in_every_table(
    tmp_path: Path, protocol: ProtocolName
) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.5}, protocol=protocol)
    for path, text in report_texts(folder).items():
        assert (f"\n{protocol}," if path.endswith(".csv") else mark(protocol)) in text, path
        assert not COMPARING.search(text.replace(L10, "")), path
    assert BROKEN[protocol][1] in report_texts(folder)["tables/comparison.md"]
    assert mark(protocol) in " ".join(shown(folder, width=120).split())


def test_every_leaky_protocol_has_words() -> None:
    assert set(LEAKS) == set(BROKEN)
    assert mark(PROPER) == ""


def test_figures_of_a_leaky_run_say_so(leaky: Path) -> None:
    results = load_results([leaky])
    figures = [scores_figure(results)]
    figures += [confusion_figure(each, results) for each in results.comparison.methods]
    assert len(figures) == 4
    for figure in figures:
        title = drawn(figure).get_suptitle().replace("\n", " ")
        assert title.startswith(mark("leaky-random"))


def test_the_terminal_table_of_a_leaky_run_says_so_first(leaky: Path) -> None:
    lines = shown(leaky).splitlines()
    assert max(map(len, lines)) <= 80
    assert mark("leaky-random") in " ".join(" ".join(lines[:2]).split())


def test_a_leaky_run_stands_in_no_table_with_others(leaky: Path, tmp_path: Path) -> None:
    proper = make_run(tmp_path / "proper", {"hybrid": 0.5})
    for folders in ([proper, leaky], [leaky, proper]):
        with pytest.raises(StoreError, match=r"bad \(protocol leaky-random\).*serbench inflation"):
            write_report(folders, tmp_path / "both")
        with pytest.raises(StoreError, match="leaky runs cannot be combined"):
            render_comparison(*folders)
    assert not (tmp_path / "both").exists()


def test_two_leaky_runs_stand_in_no_table_either(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name, {name: 0.5}, protocol="leaky-normaliser") for name in ("a", "b")
    ]
    with pytest.raises(StoreError, match=r"cannot be combined.*: a .*, b "):
        load_results(runs)


def test_a_proper_run_is_not_marked_but_names_its_protocol(tmp_path: Path) -> None:
    found = report_texts(make_run(tmp_path / "run", SKILL))
    for path, text in found.items():
        assert "LEAKY" not in text, path
        if path.endswith(".csv"):
            assert set(pd.read_csv(io.StringIO(text))["protocol"]) == {PROPER}, path
    assert "whisper-base" not in found["tables/comparison.md"]


def test_a_leaky_run_does_not_pass_with_the_certificate_of_a_proper_one(tmp_path: Path) -> None:
    bad = make_run(tmp_path / "bad", {"kd": 0.9}, protocol="leaky-normaliser")
    good = make_run(tmp_path / "good", {"kd": 0.9})
    shutil.copy(good / "certificate.json", bad / "certificate.json")
    with pytest.raises(StoreError, match=r"certificate\.json belongs to another run: it certifies"):
        load_results([bad])


def test_a_certificate_without_its_digest_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.9})
    path = folder / "certificate.json"
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"certificate\.json was changed: .* it states None"):
        load_results([folder])


def test_an_older_certificate_is_refused_by_name(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.9})
    path = folder / "certificate.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 1}))
    with pytest.raises(StoreError, match=r"certificate\.json is not a certificate of schema"):
        load_results([folder])


# ── Teachers that are not clean ──────────────────────────────────────────────────────────────────


def test_an_undeclared_teacher_stands_under_every_table(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", SKILL, teachers=(UNDECLARED,))
    line = (
        "Teacher whisper-base: its training corpora are undeclared, so overlap with emodb cannot "
        "be excluded."
    )
    for path, text in report_texts(folder).items():
        if not path.endswith(".csv"):
            assert line in text, path
    assert text_before(report_texts(folder)["tables/comparison.md"], "Certificate:").endswith(
        f"\n{line}  \n"
    )
    assert line in " ".join(shown(folder).split())
    results = load_results([folder])
    below = " ".join(text.get_text() for text in drawn(scores_figure(results)).texts)
    assert line in below
    write_report([folder], folder)
    assert (folder / "report.md").read_text().count(line) == 1


def text_before(text: str, end: str) -> str:
    return text[: text.index(end)]


def test_warnings_are_escaped_in_markdown_latex_and_at_a_terminal(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"kd": 0.5}, teachers=(NASTY,))
    found = report_texts(folder)
    assert r"Teacher w\|b_x & \<co\>: its training" in found["tables/folds.md"]
    assert (
        r"Teacher w\textbar{}b\_x \& \textless{}co\textgreater{}: its" in found["tables/folds.tex"]
    )
    bracketed = NASTY.model_copy(update={"teacher": "w[/]x[red]"})
    other = make_run(tmp_path / "other", {"kd": 0.5}, teachers=(bracketed,))
    assert "Teacher w[/]x[red]: its training" in shown(other, width=120)


@pytest.mark.parametrize(
    ("status", "trained_on", "shared", "said"),
    [
        ("declared", ("LibriSpeech",), (), None),
        ("undeclared", (), (), "its training corpora are undeclared, so overlap with emodb"),
        ("undeclared", ("MSP-Podcast",), (), "not all of its training corpora are declared, so"),
        ("undisclosed", ("LibriSpeech",), (), "part of its training data is not public, so"),
        ("overlap", ("EmoDB", "X"), ("EmoDB",), "was trained on recordings of emodb (EmoDB)."),
    ],
)
def test_what_is_said_of_a_teacher(
    status: str, trained_on: tuple[str, ...], shared: tuple[str, ...], said: str | None
) -> None:
    record = TeacherRecord.model_validate(
        {"teacher": "w", "status": status, "trained_on": trained_on, "shared": shared}
    )
    lines = warning_lines([certificate(teachers=(record,))])
    assert len(lines) == (said is not None)
    assert (said or "") in "".join(lines)


@pytest.mark.parametrize("protocol", [PROPER, *BROKEN])
@pytest.mark.parametrize("status", ["declared", "undisclosed", "undeclared", "overlap"])
def test_every_warning_of_a_certificate_becomes_a_line(protocol: ProtocolName, status: str) -> None:
    record = CLEAN.model_copy(update={"status": status, "shared": ("EmoDB",)})
    held = certificate(protocol, (record,))
    assert len(warning_lines([held])) == len(held.warnings)


def test_copies_that_were_left_out_are_told() -> None:
    held = certificate().model_copy(update={"dropped": ("03a", "08b")})
    assert warning_lines([held]) == ("2 utterances of emodb are left out as copies of others.",)


def test_a_warning_that_runs_share_is_said_once() -> None:
    held = certificate(teachers=(UNDECLARED,))
    assert len(warning_lines([held, held])) == 1


# ── Texts that the run determines ────────────────────────────────────────────────────────────────


def test_report_texts_are_what_is_written_and_nothing_is_left_out(leaky: Path) -> None:
    found = report_texts(leaky)
    stored = {f"tables/{path.name}" for path in (leaky / "tables").iterdir()}
    assert set(found) == stored | {"certificate.md"}
    for path, text in found.items():
        assert (leaky / path).read_bytes() == text.encode(), path


def test_report_texts_do_not_depend_on_the_place(leaky: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(leaky, tmp_path / "elsewhere" / "renamed")
    for path in copy.glob("tables/*"):
        path.unlink()
    timing = copy / "timing.json"
    timing.write_text(json.dumps({**json.loads(timing.read_text()), "wall_s": 1.0}))
    assert report_texts(copy) == report_texts(leaky)
