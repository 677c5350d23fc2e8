"""A run whose students were pretrained on unlabelled audio, with the audio at hand and without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
from tests_support.pretraining import (
    Heir,
    HeirParams,
    MapStudent,
    hinted,
    make_pretrained,
    pretrained_plan,
    write_both,
    write_speech,
)
from tests_support.replays import Installed
from tests_support.runs import Watcher, candidate, method, resources

from serbench.api import CorpusError, Params, StoreError
from serbench.checks.finding import Finding
from serbench.checks.verify.run import verify
from serbench.results.report.write import write_report
from serbench.running.harness.observer import Observer
from serbench.running.harness.run import run as make_run
from serbench_akd.akd import Akd, AkdParams


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify")
    early = method("early", hinted(hint=False), hinted(hint=False))  # with an inner search
    run = make_pretrained(root, method("hinted", hinted()), early)
    write_report([run], run)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    for name in ("noise", "speech", "run"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def findings(root: Path, audio: Path | None = None) -> dict[str, Finding]:
    found = verify(
        root / "run",
        SimpleNamespace(datasets={}, teachers={}),  # pyright: ignore[reportArgumentType]
        Installed(),  # pyright: ignore[reportArgumentType]
        data_dir=root / "noise",
        cache=root / "cache",
        watch=Observer(),
        pretrain_audio=audio,
    )
    return {finding.check: finding for finding in found.found}


def test_a_run_that_heard_the_audio_in_its_folds_and_crops_is_what_it_says(tmp_path: Path) -> None:
    params = {"k": 1.0, "alpha": 0.0, "lambda_hint": 0.0, "unlabelled": 0.5}
    chosen = candidate(loss=Akd(AkdParams.model_validate(params)), student=MapStudent(Params()))
    augment = chosen.settings.augment.model_copy(update={"crops": 2})
    settings = chosen.settings.model_copy(update={"augment": augment})
    run = make_pretrained(tmp_path, method("hears", replace(chosen, settings=settings)))
    write_report([run], run)
    found = findings(tmp_path, tmp_path / "speech")
    assert {name: each.message for name, each in found.items() if each.outcome != "passed"} == {}


def differing(root: Path, audio: Path | None = None) -> dict[str, str]:
    return {
        name: ", ".join(map(str, each.units)) or each.message
        for name, each in findings(root, audio).items()
        if each.outcome == "failed"
    }


def change(root: Path, edit: Callable[[Any], None]) -> None:
    path = root / "run" / "plan.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_without_the_audio_all_else_is_compared_and_that_is_said(root: Path) -> None:
    found = findings(root)
    outcomes = {what: each.outcome for what, each in found.items()}
    assert outcomes.pop("unlabelled audio") == "not run"
    assert set(outcomes.values()) == {"passed"}
    told = "not compared: give its folder with --pretrain-audio"
    assert found["unlabelled audio"].message == told


def test_with_the_audio_it_is_compared_again_wherever_it_is(root: Path) -> None:
    moved = (root / "speech").rename(root / "elsewhere")
    found = findings(root, moved)
    assert {each.outcome for each in found.values()} == {"passed"}
    assert found["unlabelled audio"].message.startswith("4 recordings read again, and compared")


def test_a_run_without_pretraining_has_no_such_line_and_takes_no_audio(tmp_path: Path) -> None:
    from tests_support.replays import make_replayable

    make_replayable(tmp_path)
    write_speech(tmp_path / "speech")
    assert "unlabelled audio" not in findings(tmp_path)
    with pytest.raises(StoreError, match="not pretrained on unlabelled audio; leave --pretrain-"):
        findings(tmp_path, tmp_path / "speech")


@pytest.mark.parametrize(
    ("key", "value"), [("recordings", 5), ("duration_s", 1), ("digest", "0" * 64)]
)
def test_a_changed_record_in_the_plan_is_told(root: Path, key: str, value: object) -> None:
    change(root, lambda plan: plan["pretrain_audio"].update({key: value}))
    told = differing(root)
    assert "a setting was changed" in told["plan.json"]
    assert "audio (" in told["certificate"]
    assert key in differing(root, root / "speech")["unlabelled audio"]


def test_a_record_that_was_taken_out_is_told(root: Path) -> None:
    change(root, lambda plan: plan.update(pretrain_audio=None))
    told = differing(root)
    assert "a setting was changed" in told["plan.json"]
    assert "audio (" in told["certificate"]


def test_a_record_that_is_none_is_refused(root: Path) -> None:
    change(root, lambda plan: plan["pretrain_audio"].pop("digest"))
    with pytest.raises(StoreError, match=r"plan\.json: pretrain_audio\.digest: Field required"):
        findings(root)


def test_other_audio_is_told(root: Path) -> None:
    path = root / "speech" / "r1.wav"
    x, rate = soundfile.read(path, dtype="int16")
    x[100] += 1
    soundfile.write(path, x, rate)
    told = differing(root, root / "speech")
    assert list(told) == ["unlabelled audio"]
    assert told["unlabelled audio"].startswith("digest (")


def test_a_copy_of_an_utterance_in_the_audio_is_told(root: Path) -> None:
    """As the audio would have been, had the run not looked."""
    shutil.copy(root / "noise" / "s1_low_0.wav", root / "speech" / "r9.wav")
    told = differing(root, root / "speech")
    assert "recordings (4 in the plan, 5 here)" in told["unlabelled audio"]
    assert "L5" in told["certificate"]
    assert "s1_low_0 ~ unlabelled/r9.wav (1.00)" in told["certificate"]


def test_audio_that_cannot_be_had_is_told(root: Path) -> None:
    with pytest.raises(CorpusError, match="of unlabelled audio does not exist"):
        findings(root, root / "nowhere")


def test_what_is_fitted_is_known_where_teachers_teach_before_the_folds_only(made: Path) -> None:
    """Heads for the teacher's own row on outer sides, none for inner ones: nothing reads them."""
    certificate = json.loads((made / "run" / "certificate.json").read_text())
    heads = {each["partition"] for each in certificate["fitted"] if "head" in each["what"]}
    assert heads == {"outer-1/train", "outer-2/train", "outer-3/train"}


def test_a_pretrained_run_beside_a_plain_one_verifies(tmp_path: Path) -> None:
    make_pretrained(tmp_path, method("plain", candidate()), method("hinted", hinted()))
    assert differing(tmp_path, tmp_path / "speech") == {}


@pytest.mark.parametrize("audio", [True, False])
def test_a_run_whose_students_inherit_is_made_anew(audio: bool, tmp_path: Path) -> None:
    """With audio they inherited from it, without each in its training partition: L6 and L7."""
    write_both(tmp_path)
    heir = hinted(before=False, hint=False, student=Heir(HeirParams()))
    plan = replace(pretrained_plan(tmp_path, method("heir", heir)), teachers={})
    plan = plan if audio else replace(plan, pretrain_audio=None)
    folder = make_run(plan, resources(tmp_path, folder=tmp_path / "run"), Watcher())
    write_report([folder], folder)
    assert differing(tmp_path) == {}
    line = "Student linear starts from weights of Forebear (licence MIT; trained on LibriSpeech)."
    assert line in (folder / "tables" / "comparison.md").read_text()
    change(tmp_path, lambda plan: plan["inherited"].clear())
    assert "certificate" in differing(tmp_path)
