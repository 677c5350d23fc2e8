from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench_corpora.demo import Demo

SETS = (
    "corpus.speakers=4", "corpus.takes=1", "protocol.folds=loso", "training.epochs=1",
    "training.batch_size=32", "segments.window_s=0.5", "segments.overlap_s=0",
)  # fmt: skip
TINY = ("student.dim=16", "student.layers=1", "student.heads=2")


def invoke(*arguments: str, sets: tuple[str, ...] = SETS) -> Result:
    options = [part for text in sets for part in ("--set", text)]
    return CliRunner().invoke(app, ["run", *arguments, *options, "-j1", "--device", "cpu"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus with four speakers, to copy and to break."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    folder.mkdir()
    Demo(Demo.Params(speakers=4, takes=1)).build(folder, lambda *_: None)  # pyright: ignore[reportCallIssue]
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERBENCH_CACHE", str(cache))


@pytest.fixture
def corpus(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "corpus"))


def fails(result: Result, *parts: str, lines: int = 1) -> None:
    """Exit code 2, and one message without a traceback that says all ``parts``."""
    assert result.exit_code == 2, result.output
    message = result.stderr[result.stderr.index("serbench: ") :]
    assert "Traceback" not in result.output
    for part in parts:
        assert part in message, message
    assert len(message.strip().splitlines()) <= lines, message


# ── the main job ─────────────────────────────────────────────────────────────────────────────────


def test_a_suite_is_run_and_its_table_is_printed(made: Path, tmp_path: Path) -> None:
    Path("serbench.toml").write_text(
        '[suites.few]\nsummary = "s"\nmethods = ["hybrid", "transformer"]\n'
        'left_out = { hybrid = "takes long" }\nclaims = [{ method = "transformer", '
        'dataset = "demo", ua = 91.23, source = "p", protocol = "q", leaks = ["E"] }]\n'
    )
    arguments = ("--suite", "few", "-d", "demo", "-p", "quick", "--data-dir", str(made))
    result = invoke(*arguments, sets=(*SETS, *TINY))
    assert result.exit_code == 0, result.output
    assert "Left out: hybrid: takes long" in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("demo-few-quick-")
    for shown in (result.stdout, (folder / "report.md").read_text()):
        assert "91.23" in shown
        assert "E: epoch chosen on the test fold" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one method, or --suite NAME"),
        (("transformer", "--only", "hybrid"), "--only selects methods of a suite"),
        (("transformer", "--skip-missing"), "--skip-missing selects methods of a suite"),
        (("--suite", "tabel3"), "no suite is called 'tabel3'; did you mean 'table3'?"),
    ],
)
def test_options_of_suites_are_checked(arguments: tuple[str, ...], message: str) -> None:
    fails(invoke(*arguments, "-d", "demo", sets=()), message)


def test_a_dry_run_says_what_would_run_and_makes_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    arguments = ("transformer+kd", "-d", "demo", "-p", "quick", "--data-dir", str(made))
    sets = (*SETS, *TINY)
    result = invoke(*arguments, "--dry-run", sets=sets)
    assert result.exit_code == 0, result.output
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("Refits 4 0 ") for line in shown)
    assert any(line.startswith("Teacher heads 4 0 ") for line in shown)
    assert any(line.startswith("Time: about ") for line in shown)
    assert not (tmp_path / "runs").exists()
    (place,) = (line.split()[1] for line in shown if line.startswith("Run: "))
    assert invoke(*arguments, sets=sets).exit_code == 0
    assert Path(place, "report.md").is_file()
    again = invoke(*arguments, "--dry-run", sets=sets)
    assert f"Run: {place} (exists and is finished" in again.stdout
    assert "Everything is in the cache" in again.stdout


def test_a_dry_run_with_a_full_disk_fails(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr("serbench.running.dry_run.run.shutil.disk_usage", lambda _: full)
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    arguments = ("transformer+ce", "-d", "demo", "-p", "quick", "--data-dir", str(made))
    fails(invoke(*arguments, "--dry-run", sets=(*SETS, *TINY)), "10 B are free", "free some space")


def test_methods_are_compared_and_everything_is_stored(made: Path, tmp_path: Path) -> None:
    arguments = ("transformer+ce", "transformer+kd", "-d", "demo", "-p", "quick")
    result = invoke(*arguments, "--data-dir", os.path.relpath(made), sets=(*SETS, *TINY))
    assert result.exit_code == 0, result.output
    for shown in ("transformer+ce", "transformer+kd", "functionals", "UA"):
        assert shown in result.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert result.stdout.splitlines()[-1] == f"Report: {Path('runs') / folder.name / 'report.md'}"
    for name in ("plan.json", "environment.json", "certificate.json", "timing.json",
                 "predictions.parquet", "report.md"):  # fmt: skip
        assert (folder / name).is_file(), name
    assert len(list((folder / "fits").glob("*.json"))) == 2 * 4
    assert len(list((folder / "models").rglob("*.safetensors"))) == 2 * 4
    suffixes = {path.suffix for path in (folder / "tables").iterdir()}
    assert suffixes == {".md", ".csv", ".tex", ".html", ".json"}
    assert list((folder / "figures").glob("*.png"))
    certificate = json.loads((folder / "certificate.json").read_text())
    assert certificate["digest"] in (folder / "report.md").read_text()
    assert "fits: 8 to run, 0 in the cache" in result.stderr
    again = invoke(*arguments, "--data-dir", str(made), sets=(*SETS, *TINY))
    assert again.exit_code == 0
    assert "fits: 0 to run, 8 in the cache" in again.stderr
    assert again.stdout == result.stdout


def test_a_canary_sings_before_the_run_and_the_run_verifies(made: Path, tmp_path: Path) -> None:
    arguments = ("transformer+ce", "-d", "demo", "-p", "quick", "--data-dir", str(made))
    sets = (*SETS, *TINY, "methods.transformer+ce.training.epochs=1", "protocol.canary=3")
    result = invoke(*arguments, sets=sets)
    assert result.exit_code == 0, result.output
    assert "canary: repeat 3 of 3 on permuted labels" in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    checks = {c["code"]: c for c in json.loads((folder / "certificate.json").read_text())["checks"]}
    assert checks["L10"]["outcome"] == "passed"
    assert checks["L10"]["detail"].startswith("transformer+ce ")
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["canary"][0]["settings"]["training"]["epochs"] == 12
    verified = CliRunner().invoke(app, ["verify", "--data-dir", str(made)])
    assert verified.exit_code == 0, verified.output
    assert "the run agrees with its corpus and its plan" in verified.stdout
    table = folder / "tables" / "speakers.md"
    table.write_text(table.read_text() + "\n")
    edited = CliRunner().invoke(app, ["verify", folder.name, "--data-dir", str(made)])
    assert edited.exit_code == 1, edited.output
    assert "of 7 checks: tables)" in edited.stdout


def test_a_leaky_run_is_marked_wherever_one_looks(made: Path, tmp_path: Path) -> None:
    arguments = ("transformer+ce", "-d", "demo", "-p", "quick", "--data-dir", str(made))
    result = invoke(*arguments, "--protocol", "leaky-random", sets=(*SETS, *TINY))
    assert result.exit_code == 0, result.output
    assert "LEAKY PROTOCOL leaky-random" in result.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert "leaky-random" in folder.name
    assert invoke(*arguments, sets=(*SETS, *TINY)).exit_code == 0
    names = [path.name for path in (tmp_path / "runs").iterdir()]
    both = CliRunner().invoke(app, ["report", *names, "-o", "both"])
    fails(both, "leaky runs cannot be combined", "serbench inflation")
    assert not (tmp_path / "both").exists()


def test_a_teacher_that_knows_the_corpus_stops_the_run(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    arguments = ("transformer+kd", "-d", "demo", "--data-dir", str(made), "--teacher", str(folder))
    sets = (*SETS, *TINY, 'teacher.trained_on=["demo"]')
    fails(invoke(*arguments, sets=sets), "leakage L7", "encoder (demo)")
    # Told to go on, it gets as far as the weights, which are not there.
    allowed = invoke(*arguments, "--allow-pretraining-overlap", sets=sets)
    fails(allowed, "config.json")


def test_the_hybrid_learns_from_a_teacher_and_the_demo_is_made_on_first_use(
    tmp_path: Path,
) -> None:
    result = invoke("hybrid-tiny+akd", "--dataset", "demo", "--profile", "quick", "-v")
    assert result.exit_code == 0, result.output
    assert "making demo in" in result.stderr
    assert "hybrid-tiny+akd" in result.stdout
    assert "functionals" in result.stdout


def test_other_rates_and_stereo_are_accepted(corpus: Path) -> None:
    files = sorted(corpus.glob("*.wav"))
    x, _ = soundfile.read(files[0])
    soundfile.write(files[0], x[::2], 8_000)
    y, rate = soundfile.read(files[1])
    soundfile.write(files[1], np.stack([y, 0.5 * y], axis=1), rate)
    result = invoke(
        "transformer+ce", "-d", "demo", "-p", "quick", "--data-dir", str(corpus),
        sets=(*SETS, *TINY),
    )  # fmt: skip
    assert result.exit_code == 0, result.output


# ── bad corpora ──────────────────────────────────────────────────────────────────────────────────


def with_corpus(corpus: Path, *arguments: str) -> Result:
    named = ("-d", "demo", "-p", "quick", "--data-dir", str(corpus))
    return invoke("transformer+ce", *named, *arguments)


def test_a_missing_folder(tmp_path: Path) -> None:
    fails(with_corpus(tmp_path / "nowhere"), "nowhere", "--data-dir", "does not exist", "f01_anger")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fails(with_corpus(tmp_path / "file"), "is a file, not a folder")


def test_a_wrong_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    fails(with_corpus(tmp_path / "other"), "no utterances found in", "f01_anger_s1_1.wav")


def test_foreign_names(corpus: Path) -> None:
    next(corpus.glob("*.wav")).rename(corpus / "song.wav")
    fails(with_corpus(corpus), "song.wav", "not a file name of the demo corpus")


def test_missing_files_are_all_counted_and_can_be_allowed(corpus: Path) -> None:
    for file in sorted(corpus.glob("f01_anger_*.wav"))[:2]:
        file.unlink()
    fails(with_corpus(corpus), "94 of 96", "label anger", "speaker f01", lines=6)
    allowed = invoke(
        "transformer+ce", "-d", "demo", "-p", "quick", "--data-dir", str(corpus),
        "--allow-incomplete", sets=(*SETS, *TINY),
    )  # fmt: skip
    assert allowed.exit_code == 0, allowed.output
    assert "incomplete" in allowed.stderr


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:30])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def text(file: Path) -> None:
    file.write_text("this is not audio\n" * 100)


def nan(file: Path) -> None:
    x = np.zeros(8000, np.float32)
    x[100] = np.nan
    soundfile.write(file, x, 16_000, subtype="FLOAT")


def no_samples(file: Path) -> None:
    soundfile.write(file, np.zeros(0, np.float32), 16_000)


@pytest.mark.parametrize("damage", [cut, empty, text, nan, no_samples])
def test_a_damaged_file_is_named(corpus: Path, damage: Callable[[Path], None]) -> None:
    file = sorted(corpus.glob("*.wav"))[3]
    damage(file)
    fails(with_corpus(corpus), "1 of 96 audio files", str(file), lines=3)


def test_a_truncated_file_is_named(corpus: Path) -> None:
    file = sorted(corpus.glob("*.wav"))[3]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    fails(with_corpus(corpus), "1 of 96 audio files", str(file), lines=3)


def test_one_speaker(corpus: Path) -> None:
    for file in corpus.glob("[!f]*.wav"):
        file.unlink()
    for file in corpus.glob("f02*.wav"):
        file.unlink()
    fails(with_corpus(corpus, "--allow-incomplete"), "at least two speakers", "f01")


def test_a_class_that_no_training_side_has(corpus: Path) -> None:
    for file in corpus.glob("*_anger_*.wav"):
        if not file.name.startswith("f01"):
            file.unlink()
    fails(with_corpus(corpus, "--allow-incomplete"), "anger", "outer-1")


# ── bad names and settings ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "sets", "parts"),
    [
        (("akdd", "-d", "demo"), (), ("no method is called 'akdd'", "akd")),
        (("akd", "-d", "demi"), (), ("no dataset is called 'demi'", "demo")),
        (("akd", "-d", "demo", "-p", "fast"), (), ("no profile is called 'fast'",)),
        (("akd", "-d", "demo", "--teacher", "whisper-bas"), (), ("whisper-bas", "whisper-base")),
        (("akd", "-d", "demo", "--teacher", "./nowhere"), (), ("./nowhere", "no such folder")),
        (("akd", "-d", "demo"), ("training.epoch=2",), ("training.epoch", "'epochs'")),
        (("akd", "-d", "demo"), ("trainings.epochs=2",), ("trainings.epochs", "training")),
        (("akd", "-d", "demo"), ("training.epochs=two",), ("training.epochs", "'two'")),
        (("akd", "-d", "demo"), ("training.epochs=2.5",), ("training.epochs",)),
        (("akd", "-d", "demo"), ("loss.temperature=hot",), ("temperature", "'hot'")),
        (("akd", "-d", "demo"), ("training.epochs",), ("path=value",)),
        (("akd", "-d", "demo", "--protocol", "leaky"), (), ("protocol.name", "'leaky-random'")),
        (("akd", "-d", "demo", "--protocol", "leaky-random", "--canary"), (), ("leave --canary",)),
        (("ce", "-d", "demo"), ("protocol.folds=thirds", "corpus.speakers=4", "corpus.takes=1"),
         ("thirds", "pairs", "loso")),
    ],
)  # fmt: skip
def test_bad_names_and_settings(
    arguments: tuple[str, ...], sets: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    if arguments[0] == "ce":
        arguments = ("transformer+ce", *arguments[1:])
    fails(invoke(*arguments, sets=sets), *parts)


def test_an_unknown_device() -> None:
    arguments = ["run", "akd", "-d", "demo", "--device", "abacus"]
    fails(CliRunner().invoke(app, arguments), "--device abacus", "--device auto")


def test_no_jobs() -> None:
    result = CliRunner().invoke(app, ["run", "akd", "-d", "demo", "-j", "0"])
    assert result.exit_code == 2


@pytest.mark.parametrize("named", [True, False])
def test_a_malformed_overlay(tmp_path: Path, named: bool) -> None:
    overlay = tmp_path / ("mine.toml" if named else "serbench.toml")
    overlay.write_text("[methods.akd\nstudent = 3")
    arguments = ("--registry", str(overlay)) if named else ()
    fails(invoke("akd", "-d", "demo", *arguments), f"{overlay.name}:1")


def test_wrong_types_in_an_overlay_are_all_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "serbench.toml").write_text(
        '[datasets.demo]\nfolds = 3\n[methods.akd.settings.training]\nepochs = "many"\n'
    )
    fails(
        invoke("akd", "-d", "demo"), "serbench.toml:2: datasets.demo.folds", "serbench.toml:4",
        "'many'", lines=4,
    )  # fmt: skip


def test_a_missing_overlay(tmp_path: Path) -> None:
    fails(invoke("akd", "-d", "demo", "--registry", "gone.toml"), "gone.toml")


# ── bad places ───────────────────────────────────────────────────────────────────────────────────


def test_a_file_in_the_way_of_the_output(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    fails(with_corpus(corpus, "--out", "taken"), "taken", "is a file", "--out")
    fails(with_corpus(corpus, "--out", "taken/below"), "taken", "--out")


def test_an_output_folder_that_cannot_be_written(corpus: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    fails(with_corpus(corpus, "--out", str(locked / "runs")), "locked", "--out")


def test_a_cache_that_cannot_be_written(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("SERBENCH_CACHE", str(tmp_path / "cache"))
    fails(with_corpus(corpus), str(tmp_path / "cache"))


def test_a_teacher_folder_without_config(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    result = invoke(
        "akd", "-d", "demo", "-p", "quick", "--data-dir", str(corpus), "--teacher", "encoder"
    )
    fails(result, "encoder", "config.json")


SMALL_HYBRID = (
    "student.stem_channels=[4,8,8]", "student.blocks=1", "student.heads=2", "student.fused_dim=16",
)  # fmt: skip


# ── the real thing ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.real
def test_akd_on_emodb_under_whisper(emodb: Path, whisper_base: Path, tmp_path: Path) -> None:
    """Two of its ten sentences are enough; tests/learning/teach embeds the whole corpus."""
    some = tmp_path / "emodb"
    some.mkdir()
    for sentence in ("a02", "a05"):
        for file in (emodb / "wav").glob(f"??{sentence}??.wav"):
            (some / file.name).symlink_to(file)
    result = invoke(
        "akd", "--dataset", "emodb", "--data-dir", str(some), "--teacher", str(whisper_base),
        "--profile", "quick", "--allow-incomplete", sets=("training.epochs=1", *SMALL_HYBRID),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "whisper-base-encoder" in result.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["outer"][0]["test_units"] == ["03", "08"]
    assert plan["dataset"]["utterances"] == len(list(some.iterdir())) == 122
