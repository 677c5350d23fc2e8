from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests_support.runs import LinearStudent
from torch import Tensor, nn

from serbench.api import Batch, LossTerms, Params, SerbenchError, StudentOutput, StudentShape
from serbench.learning.features import Frames, TrainingFrames
from serbench.learning.fit.batches import Batches, TeacherSources
from serbench.learning.fit.optimise import (
    Optimisation,
    grouped,
    loss_shape,
    make_optimizer,
    make_schedule,
    resolve_precision,
)
from serbench.settings import OptimiserSettings, PretrainSettings, TrainingSettings

CPU = torch.device("cpu")
SHAPE = StudentShape(num_classes=3, channels=3, n_mels=4)


class Steep(nn.Module):
    """A loss with a parameter of its own and a slope of a thousand."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        total = 1000.0 * (output.logits * self.scale).sum()
        return {"total": total, "half": total / 2}


def batch() -> Batch:
    return Batch(
        features=torch.ones(2, SHAPE.channels, SHAPE.n_mels, 5),
        lengths=torch.tensor([5, 3]),
        labels=torch.tensor([0, 1]),
        teacher_logits=torch.zeros(0, 2, SHAPE.num_classes),
    )


def optimisation(loss: nn.Module | None = None, **settings: object) -> Optimisation:
    torch.manual_seed(0)
    plain = {"optimizer": "adam", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    chosen = OptimiserSettings.model_validate(plain | settings)
    return Optimisation(LinearStudent(Params()).build(SHAPE), loss or Steep(), chosen, 10, 1, CPU)


def parameters(made: Optimisation) -> list[Tensor]:
    return [p for module in (made.student, made.loss) for p in module.parameters()]


def test_a_step_moves_the_student_and_the_loss_and_gives_its_terms() -> None:
    made = optimisation()
    before = [p.detach().clone() for p in parameters(made)]
    terms = made.step(batch())
    assert set(terms) == {"total", "half"}
    for old, new in zip(before, parameters(made), strict=True):
        assert not torch.equal(old, new)


@pytest.mark.parametrize("clip_norm", [None, 2.0])
def test_student_and_loss_are_clipped_together(clip_norm: float | None) -> None:
    made = optimisation(clip_norm=clip_norm)
    made.step(batch())
    norms = [float(p.grad.norm()) for p in parameters(made) if p.grad is not None]
    assert len(norms) == 3
    norm = math.hypot(*norms)
    assert norm == pytest.approx(2.0, rel=1e-4) if clip_norm else norm > 1000.0


def test_a_registry_can_say_that_nothing_is_clipped() -> None:
    assert TrainingSettings.model_validate({"clip_norm": "none"}).clip_norm is None


class Blind(nn.Module):
    """Reads the embedding, which the linear student has not learnt, and not its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(12))

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        return {"total": (output.embedding * self.scale).sum()}


def test_what_no_term_reads_stays_as_it_is() -> None:
    decayed = {"optimizer": "adamw", "weight_decay": 0.5, "learning_rate": 0.1}
    made = optimisation(Blind(), **decayed)
    before = [p.detach().clone() for p in parameters(made)]
    made.step(batch())
    same = [torch.equal(old, new) for old, new in zip(before, parameters(made), strict=True)]
    assert same == [True, True, False]


class Told(nn.Module):
    """Tells a number for each of its steps."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))
        self.values = iter(values)

    def forward(self, batch: Batch, output: StudentOutput) -> LossTerms:
        value = next(self.values)
        return {
            "total": value + (output.logits.sum() * self.scale).sum(),
            "a": torch.tensor(-value),
        }


class Several(Batches):
    """The same batch, three times an epoch."""

    per_epoch = 3

    def __init__(self) -> None:
        self.teachers = TeacherSources(torch.zeros(0, 2, SHAPE.num_classes))

    def epoch(self) -> Iterator[tuple[Tensor, Batch]]:
        return iter([(torch.tensor([0, 1]), batch())] * self.per_epoch)


def test_terms_are_averaged_over_the_steps_of_an_epoch() -> None:
    made = optimisation(Told(1.0, 2.0, 6.0), learning_rate=1e-9)
    assert made.epoch("fit", 1, Several()) == pytest.approx({"total": 3.0, "a": -3.0})
    assert made.step_seconds > 0.0


@pytest.mark.parametrize(("kind", "section"), [
    (TrainingSettings, "training"), (PretrainSettings, "pretrain"),
])  # fmt: skip
def test_a_loss_that_is_not_finite_is_told_with_its_terms_and_a_way_out(
    kind: type[OptimiserSettings], section: str
) -> None:
    student = LinearStudent(Params()).build(SHAPE)
    made = Optimisation(student, Told(1.0, math.inf, 1.0), kind(), 1, 3, CPU)
    way_out = rf"fit: .* epoch 4 \(total inf, a -inf\); lower {section}\.learning_rate"
    with pytest.raises(SerbenchError, match=way_out):
        made.epoch("fit", 4, Several())


def test_a_loss_is_told_the_sizes_of_the_students_maps_and_of_the_teachers() -> None:
    student = LinearStudent(Params()).build(SHAPE)
    count = np.array([4, 6], dtype=np.int64)
    frames = Frames(("a", "b"), np.zeros((10, 7), np.float32), np.array([0, 4]), count, 50.0, "x")
    pooled = (torch.zeros(2, 5), torch.zeros(2, 6))
    teachers = TeacherSources(torch.zeros(1, 2, 3), pooled, (TrainingFrames(frames, frames.ids),))
    found = loss_shape(student, SHAPE, teachers, torch.tensor([2, 0, 2, 2]), CPU)
    assert found.num_classes == 3
    assert found.label_counts == (1, 0, 3)
    assert found.embedding_dim == found.last_map_dim == 12
    assert found.map_dims == ((12, 1),)
    assert (found.pooled_dims, found.frame_dims, found.num_teachers) == ((5, 6), (7,), 2)


class PlainNetwork(nn.Module):
    """Gives logits and embedding only."""

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        embedding = features.mean(dim=(2, 3))
        return StudentOutput(embedding[:, :2], embedding)


def test_a_loss_is_told_that_a_student_gives_no_maps() -> None:
    unlabelled = torch.tensor([-1, -1])
    found = loss_shape(PlainNetwork(), SHAPE, TeacherSources(torch.zeros(0, 2, 3)), unlabelled, CPU)
    assert (found.embedding_dim, found.map_dims, found.last_map_dim) == (3, (), 0)
    assert found.label_counts == ()


def test_the_schedule_warms_up_and_falls_to_zero() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    settings = TrainingSettings(warmup=0.2, schedule="cosine")
    schedule = make_schedule(optimizer, settings, 20, 1)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [2.0 * (step + 1) / 4 for step in range(4)]
    expected += [1.0 + math.cos(math.pi * (step - 4) / 16) for step in range(4, 20)]
    np.testing.assert_allclose(rates, expected)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)


def rates_of(settings: OptimiserSettings, epochs: int, per_epoch: int) -> list[float]:
    """The learning rate of each update, of a peak of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimizer, settings, epochs, per_epoch)
    rates = []
    for _ in range(epochs * per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_a_step_schedule_drops_at_an_epoch_and_every_few_after_it() -> None:
    settings = OptimiserSettings(
        schedule="step", step_from=3, step_epochs=2, step_factor=0.5, warmup=0.0
    )
    expected = [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert rates_of(settings, 8, 2) == [rate for rate in expected for _ in range(2)]


def test_restarts_fall_to_the_floor_and_jump_back() -> None:
    settings = OptimiserSettings(schedule="restarts", restart_epochs=2, floor=0.2, warmup=0.0)
    half = math.sqrt(0.5)  # the cosine of 45 degrees, 0.4 is half the way from peak to floor
    once = [1.0, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half]
    np.testing.assert_allclose(rates_of(settings, 4, 2), once * 2)


@pytest.mark.parametrize("schedule", ["step", "restarts", "constant"])
def test_warm_up_goes_before_every_schedule(
    schedule: Literal["step", "restarts", "constant"],
) -> None:
    warm = OptimiserSettings(schedule=schedule, warmup=0.25, step_from=5)
    rates, without = (rates_of(s, 8, 2) for s in (warm, warm.model_copy(update={"warmup": 0.0})))
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == without[4:]
    assert without[0] == 1.0


def test_an_epoch_is_dealt_into_groups() -> None:
    assert list(grouped(3, 1)) == [(1, 1)] * 3
    assert list(grouped(4, 3)) == [(1, 3), (2, 3), (3, 3), (1, 1)]


def test_batches_of_a_group_make_one_step_of_their_mean_gradient() -> None:
    """Of three batches, two share a step and the last steps by itself."""
    plain = {"learning_rate": 0.5, "clip_norm": None, "accumulate": 2, "precision": "fp32"}
    made = optimisation(Told(0.0, 0.0, 0.0), **plain)
    made.optimizer = torch.optim.SGD([*made.loss.parameters()], lr=0.5)
    made.schedule = make_schedule(made.optimizer, made.settings, 10, 2)
    made.student.eval()
    summed = made.student(batch().features, batch().lengths).logits.sum().item()
    made.epoch("fit", 1, Several())
    (scale,) = made.loss.parameters()
    # Each batch's gradient is the sum of the logits: the mean of two is as large as that of one.
    np.testing.assert_allclose(scale.item(), -0.5 * summed * 2, rtol=1e-6)
    assert made.schedule.last_epoch == 2


def test_the_schedule_of_groups_is_made_for_updates() -> None:
    settings = OptimiserSettings(schedule="step", step_from=1, step_epochs=1, accumulate=2)
    made = Optimisation(
        LinearStudent(Params()).build(SHAPE), Steep(),
        settings.model_copy(update={"warmup": 0.0}), 4, 3, CPU,
    )  # fmt: skip
    rates = []
    for epoch in range(1, 5):
        made.epoch("fit", epoch, Several())
        rates.append(made.optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(rates, [5e-4, 2.5e-4, 1.25e-4, 6.25e-5])


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_takes_its_betas(optimizer: Literal["adam", "adamw"]) -> None:
    """The second update of gradients 1 and 3, by hand: m̂ / √v̂."""
    made = optimisation(optimizer=optimizer, betas=(0.5, 0.25), learning_rate=0.1)
    (group,) = made.optimizer.param_groups
    parameter = group["params"][0]
    start = parameter.detach().clone()
    for gradient in (1.0, 3.0):
        for each in group["params"]:
            each.grad = torch.full_like(each, gradient)
        made.optimizer.step()
    mean = (0.5 * 0.5 * 1.0 + 0.5 * 3.0) / (1 - 0.5**2)
    square = (0.25 * 0.75 * 1.0 + 0.75 * 9.0) / (1 - 0.25**2)
    moved = 0.1 * (1.0 + mean / math.sqrt(square))
    torch.testing.assert_close(parameter, start - moved)


@pytest.mark.parametrize(
    "wrong",
    [
        {"betas": (0.9, 1.0)},
        {"betas": (0.9,)},
        {"accumulate": 0},
        {"schedule": "linear"},
        {"step_from": 0},
        {"step_factor": 1.5},
        {"restart_epochs": 0},
        {"floor": 1.0},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        OptimiserSettings.model_validate(wrong)


def test_adamw_decays_matrices_only_and_adam_everything() -> None:
    module, loss = nn.Linear(3, 2), nn.Module()
    adamw = make_optimizer(module, loss, TrainingSettings(weight_decay=0.1))
    decays = {
        tuple(p.shape): group["weight_decay"]
        for group in adamw.param_groups
        for p in group["params"]
    }
    assert decays == {(2, 3): 0.1, (2,): 0.0}
    adam = make_optimizer(module, loss, TrainingSettings(optimizer="adam", weight_decay=0.1))
    assert [group["weight_decay"] for group in adam.param_groups] == [0.1]
    assert len(adam.param_groups[0]["params"]) == 2


class Decaying(nn.Module):
    """Has a term that decays ``own`` already."""

    undecayed = ("own",)

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.ones(2, 2))
        self.other = nn.Parameter(torch.ones(2, 2))


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_what_a_module_says_is_not_decayed(optimizer: Literal["adam", "adamw"]) -> None:
    loss = nn.ModuleDict({"within": Decaying()})
    made = make_optimizer(
        nn.Linear(2, 2), loss, TrainingSettings(optimizer=optimizer, weight_decay=0.1)
    )
    decay = {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]}
    assert decay[id(loss.get_parameter("within.own"))] == 0.0
    assert decay[id(loss.get_parameter("within.other"))] == 0.1
    assert len(decay) == 4


def test_parts_of_a_student_learn_at_their_own_rates() -> None:
    student = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2))
    chosen = TrainingSettings(learning_rate=0.1, rates={"0": 0.5, "0.1": 0.01}, weight_decay=0.2)
    made = make_optimizer(student, nn.Linear(2, 2), chosen)
    rates = {id(p): g["lr"] for g in made.param_groups for p in g["params"]}
    named = {name: rates[id(p)] for name, p in student.named_parameters()}
    expected = {"0.0": 0.05, "0.1": 0.001, "1": 0.1}
    for part, rate in expected.items():
        for kind in ("weight", "bias"):
            assert named[f"{part}.{kind}"] == pytest.approx(rate)
    assert len(rates) == 8
    make_schedule(made, chosen, 100, 1)  # a tenth of the steps, ten, are warm-up
    warm = {id(p): g["lr"] for g in made.param_groups for p in g["params"]}
    assert warm == {number: pytest.approx(rate / 10) for number, rate in rates.items()}


def test_precision_is_as_asked() -> None:
    assert resolve_precision("bf16", CPU) == "bf16"
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("auto", torch.device("meta")) == "fp32"
