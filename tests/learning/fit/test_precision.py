"""What reaches a loss, whatever precision the student computes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from tests_support.pretraining import MapStudent, pretrained_candidate
from tests_support.runs import candidate, fit_task, frames_of
from tests_support.tables import noise_table
from torch import Tensor, nn

from serbench.api import Batch, EpochEvent, Loss, LossShape, LossTerms, Params, StudentOutput
from serbench.learning.features import Frames
from serbench.learning.fit.loop import fit
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import FitTask, PretrainTask, TeacherFrames
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.targets import TeacherSignal
from serbench.protocol.splits.outer import outer_splits

Precision = Literal["fp32", "bf16"]


class Recording(Loss):
    """Cross-entropy as the README's own loss has it, and a note of everything it was given."""

    name = "recording"
    Params = Params

    def __init__(self, needs: frozenset[Any], task: bool = True) -> None:
        super().__init__(Params())
        self.reads = needs
        self.task = task
        self.given: list[tuple[Batch, StudentOutput]] = []
        self.terms: list[LossTerms] = []
        self.autocast: set[bool] = set()

    @property
    def needs(self) -> frozenset[Any]:
        return self.reads

    def build(self, shape: LossShape) -> nn.Module:
        loss = self

        class Module(nn.Module):
            def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
                loss.given.append((batch, output))
                loss.autocast.add(torch.is_autocast_enabled("cpu"))
                if loss.task:
                    log_p = output.logits.log_softmax(dim=1).gather(1, batch.labels[:, None])
                    terms = {"total": (-log_p + (1 - log_p.exp())).mean()}
                else:
                    terms = {"total": output.embedding.square().mean()}
                loss.terms.append(terms)
                return terms

        return Module()


def tensors(given: Batch | StudentOutput) -> dict[str, Tensor]:
    """Every floating-point tensor of it, by name."""
    found: dict[str, Tensor] = {}
    for field in fields(given):
        value = getattr(given, field.name)
        several = value if isinstance(value, tuple) else (value,)
        found |= {f"{field.name} {n}": each for n, each in enumerate(several)}
    return {name: value for name, value in found.items() if value.is_floating_point()}


class HalfStudent(MapStudent):
    """Notes which precision its own logits have."""

    seen: ClassVar[set[torch.dtype]] = set()

    def build(self, shape: Any) -> nn.Module:
        network = super().build(shape)

        def note(module: nn.Module, _: object, output: StudentOutput) -> None:
            if module.training:
                self.seen.add(output.logits.dtype)

        network.register_forward_hook(note)
        return network


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Loss, Precision], FitTask]:
    """A fit on all that a teacher can say, its frames in half precision as they are kept."""
    table = noise_table(tmp_path_factory.mktemp("precision") / "noise", speakers=3, utterances=2)
    heard = frames_of(table, table.folder.parent / "features")
    split = outer_splits(table, "loso", 5)[0]
    count = len(split.train.ids)
    draw = np.random.default_rng(0)
    frames = draw.normal(size=(int(heard.count.sum()), 5)).astype(np.float16)
    signal = TeacherSignal(
        name="random",
        logits=draw.normal(size=(count, 2)).astype(np.float32),
        pooled=TrainingEmbeddings(
            draw.normal(size=(count, 1, 4)).astype(np.float32), np.zeros(count, np.int64), ("s",)
        ),
        frames=Frames(heard.ids, frames, heard.start, heard.count, heard.rate_hz, "random"),
    )

    def make(loss: Loss, precision: Precision) -> FitTask:
        chosen = candidate(loss=loss, student=HalfStudent(Params()), epochs=1, precision=precision)
        return fit_task(table, split, heard, chosen, teachers=[signal])

    return make


def silent(_: EpochEvent) -> None:
    pass


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_all_that_a_loss_is_given_is_float32(
    task: Callable[[Loss, Precision], FitTask], precision: Precision
) -> None:
    loss = Recording(frozenset({"soft_targets", "pooled", "frames"}))
    HalfStudent.seen.clear()
    fit(task(loss, precision), silent)
    assert HalfStudent.seen == {torch.float32 if precision == "fp32" else torch.bfloat16}
    assert loss.autocast == {False}
    names = set()
    for given in loss.given:
        for each in given:
            found = tensors(each)
            names |= set(found)
            assert {name: value.dtype for name, value in found.items()} == dict.fromkeys(
                found, torch.float32
            )
    assert names == {
        "features 0", "teacher_logits 0", "teacher_pooled 0", "teacher_frames 0",
        "logits 0", "embedding 0", "maps 0", "last_map 0",
    }  # fmt: skip


def test_a_loss_that_casts_nothing_is_right_under_bf16(
    task: Callable[[Loss, Precision], FitTask],
) -> None:
    """The README's loss: its value is that of double precision, to float32's digits."""
    loss = Recording(frozenset())
    fit(task(loss, "bf16"), silent)
    for (batch, output), terms in zip(loss.given, loss.terms, strict=True):
        log_p = output.logits.detach().double().log_softmax(dim=1).gather(1, batch.labels[:, None])
        due = (-log_p + (1 - log_p.exp())).mean()
        assert terms["total"].dtype == torch.float32
        assert float(terms["total"].detach()) == pytest.approx(float(due), rel=1e-6)


def test_pretraining_gives_float32_too() -> None:
    draw = np.random.default_rng(0)
    count = np.array([120, 160, 200], dtype=np.int64)

    def frames(rate_hz: float, width: int) -> Frames:
        own = (count * rate_hz / 100).astype(np.int64)
        values = draw.normal(size=(int(own.sum()), width)).astype(np.float16)
        return Frames(("a", "b", "c"), values, np.cumsum(own) - own, own, rate_hz, "random")

    loss = Recording(frozenset({"frames"}), task=False)
    chosen = pretrained_candidate(candidate(), epochs=1, precision="bf16")
    HalfStudent.seen.clear()
    pretrain(
        PretrainTask(
            name="recording/seed-0/pretraining", key="0" * 64, student=HalfStudent(Params()),
            loss=loss, settings=chosen.settings, front_end=chosen.front_end,
            num_classes=2, features=frames(100.0, 40),
            teachers=(TeacherFrames("random", frames(50.0, 6), 2),), seed=1, device="cpu",
        ),
        silent,
    )  # fmt: skip
    assert HalfStudent.seen == {torch.bfloat16}
    assert loss.given
    for batch, output in loss.given:
        kinds = {value.dtype for value in (tensors(batch) | tensors(output)).values()}
        assert kinds == {torch.float32}
        assert batch.teacher_frames[0].shape[-1] == 3
