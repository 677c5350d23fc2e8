"""A run whose front end runs a pretrained model, and one that hears whole utterances."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests_support.runs import Watcher, candidate, method, resources, run_plan
from tests_support.tables import write_noise
from torch import Tensor, nn

from serbench.api import FrontEnd, FrontEndParams, LeakageError, TeacherCard
from serbench.results.report.certificate import certificate_page
from serbench.results.report.marks import warning_lines
from serbench.running.harness.run import run
from serbench.running.plan.records import MethodPlan
from serbench.running.store.finished import load_run

CARD = TeacherCard("A model", "MIT", "h", "c", pretrained_on=("LibriSpeech",))


class Rows(nn.Module):
    """Mean and level of an utterance."""

    def forward(self, waveforms: Tensor) -> Tensor:
        values = [waveforms.mean(-1), waveforms.square().mean(-1).clamp_min(1e-9).log()]
        return torch.stack(values, dim=-1)[..., None, :]


class Listener(FrontEnd):
    """One row of an utterance, by a model of which there is a card."""

    name = "listener"
    Params = FrontEndParams
    width, framing, model_digest = 2, None, "1" * 64
    card = CARD  # pyright: ignore[reportAssignmentType]

    def build(self) -> nn.Module:
        return Rows()


def listening(card: TeacherCard = CARD) -> MethodPlan:
    cls = Listener if card is CARD else type("Leaky", (Listener,), {"card": card})
    chosen = candidate(front_end=cls(FrontEndParams()))
    return replace(method("heard", chosen), front_end="listener")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("front-ends") / "noise"
    write_noise(place, speakers=3, utterances=2)
    return place


def test_a_model_of_a_front_end_is_told_of_and_each_utterance_is_one_window(
    folder: Path, tmp_path: Path
) -> None:
    made = run(run_plan(folder, listening()), resources(tmp_path), Watcher())
    certificate = load_run(made, made.name).certificate
    (record,) = certificate.front_ends
    assert (record.front_end, record.model, record.licence) == (
        "front end listener", "A model", "MIT",
    )  # fmt: skip
    assert (record.status, record.trained_on) == ("declared", ("LibriSpeech",))
    checks = {check.code: check for check in certificate.checks}
    assert checks["L7"].outcome == "passed"
    assert checks["L3"].detail == f"{certificate.utterances} segments of 3 partitions"
    told = "Front end listener runs A model (licence MIT; trained on LibriSpeech)."
    assert told in warning_lines([certificate])
    page = certificate_page(certificate)
    assert "## Front ends with a model" in page
    assert "| front end listener | A model | MIT | LibriSpeech |" in page
    plan = json.loads((made / "plan.json").read_text())
    (planned,) = plan["methods"]
    assert (planned["front_end"], planned["front_end_plugin"]) == ("listener", "listener")
    assert plan["model_digests"] == {"front end listener": "1" * 64}
    assert plan["heard"]["front end listener"]["pretrained_on"] == ["LibriSpeech"]


def test_a_model_that_heard_the_corpus_stops_a_run(folder: Path, tmp_path: Path) -> None:
    leaky = listening(replace(CARD, fine_tuned_on=("noise",)))
    with pytest.raises(LeakageError, match="front ends that run models") as raised:
        run(run_plan(folder, leaky), resources(tmp_path), Watcher())
    assert (raised.value.code, raised.value.units) == ("L7", ("front end listener (noise)",))
    made = run(
        run_plan(folder, leaky, allow_pretraining_overlap=True), resources(tmp_path), Watcher()
    )
    certificate = load_run(made, made.name).certificate
    assert certificate.front_ends[0].status == "overlap"
    assert any(
        "was trained on recordings of noise" in line for line in warning_lines([certificate])
    )


def test_each_model_of_a_grid_is_held_against_the_corpus(folder: Path, tmp_path: Path) -> None:
    others = [replace(CARD, title="B"), replace(CARD, title="C", fine_tuned_on=("noise",))]
    grid = [each.candidates[0] for each in map(listening, (CARD, *others, CARD))]
    heard = replace(listening(), candidates=tuple(grid))
    plan = run_plan(folder, heard)
    assert {name: front_end.card for name, front_end in plan.listeners.items()} == {
        "front end listener": CARD,
        "front end listener of heard": others[0],
        "front end listener of heard (2)": others[1],
    }
    with pytest.raises(LeakageError) as raised:
        run(plan, resources(tmp_path), Watcher())
    assert raised.value.units == ("front end listener of heard (2) (noise)",)
