"""The loss as a whole: its sum, its switches, its needs, its limits."""

from __future__ import annotations

import itertools
import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serbench.api import Batch, LossShape, PluginError, StudentOutput
from serbench.testing import check_loss
from serbench_akd.akd import Akd, AkdParams
from serbench_akd.frames import Frames
from serbench_akd.losses.akd import AkdLoss
from serbench_akd.plugin import serbench_losses
from serbench_akd.terms import (
    Angle,
    DecoupledDivergence,
    FrameHint,
    PooledHint,
    RelationDistance,
    SoftTargetDivergence,
    correct,
    integrate,
    standardise,
)

N, C, E, H, W, F = 6, 4, 5, 2, 4, 7
POOLED, FRAMES = (6, 8), (3, 4)
OFF: dict[str, Any] = {
    "k": 0.0,
    "alpha": 0.0,
    "lambda_angle": 0.0,
    "lambda_hint": 0.0,
    "beta": "one",
}


def only(**params: Any) -> dict[str, Any]:
    """Every term off but those named."""
    return OFF | params


def shape(m: int) -> LossShape:
    return LossShape(C, E, ((3, H), (5, H)), 5, POOLED[:m], FRAMES[:m], m)


def example(seed: int, m: int = 2, scale: float = 2.0) -> tuple[Batch, StudentOutput]:
    g = torch.Generator().manual_seed(seed)

    def normal(*sizes: int) -> torch.Tensor:
        return torch.randn(*sizes, generator=g, dtype=torch.float64)

    mask = torch.arange(W)[None] < torch.randint(1, W + 1, (N,), generator=g)[:, None]
    maps = (normal(N, 3, H, W), normal(N, 5, H, W))
    labels = torch.randint(0, C, (N,), generator=g)
    logits = scale * normal(m, N, C)
    logits += 8.0 * torch.eye(C)[labels] * (torch.arange(N) % 2)[:, None]  # right on every other
    batch = Batch(
        features=torch.zeros(N, 3, 4, W),
        lengths=mask.sum(-1),
        labels=labels,
        teacher_logits=logits,
        teacher_pooled=tuple(normal(N, p) for p in POOLED[:m]),
        teacher_frames=tuple(normal(N, F, d) for d in FRAMES[:m]),
        teacher_lengths=tuple(torch.randint(1, F + 1, (N,), generator=g) for _ in range(m)),
    )
    return batch, StudentOutput(normal(N, C), normal(N, E), maps, (mask, mask), maps[1], mask)


def make(m: int = 2, seed: int = 0, **params: Any) -> AkdLoss:
    """A loss whose learnt parameters are drawn at random."""
    module = Akd(AkdParams(**params)).build(shape(m)).double()
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g))
    return module


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


@pytest.mark.parametrize("beta", ["floor", "paper", "one"])
@pytest.mark.parametrize("gate_kl", [True, False])
def test_gated_task_and_kl_match_reference(beta: str, gate_kl: bool) -> None:
    batch, output = example(1)
    loss = make(**only(k=0.7, beta=beta, gate_kl=gate_kl, adaptive_weights=False, beta_min=0.3))
    terms = loss(batch, output)
    task = kl = 0.0
    gates = []
    for i in range(N):
        teachers = batch.teacher_logits[:, i].numpy()
        y = int(batch.labels[i])
        gamma = 1 - np.mean([softmax(z)[y] for z in teachers])
        reliable = gamma <= 0.5
        gates.append(bool(reliable))
        weight = {"one": 1.0, "paper": gamma, "floor": max(gamma, 0.3)}[beta] if reliable else 1.0
        student = output.logits[i].numpy()
        task += weight * -math.log(softmax(student)[y]) / N
        target = np.mean([softmax(z / 2.0) for z in teachers], axis=0)
        divergence = 4.0 * np.sum(target * np.log(target / softmax(student / 2.0)))
        kl += (reliable or not gate_kl) * divergence / N
    assert set(gates) == {True, False}
    assert terms["task"].item() == pytest.approx(task, abs=1e-9)
    assert terms["kl"].item() == pytest.approx(kl, abs=1e-9)
    assert terms["total"].item() == pytest.approx(task + 0.7 * kl, abs=1e-9)


def test_angle_compares_soft_targets_at_the_temperature() -> None:
    batch, output = example(1)
    params = only(lambda_angle=1.0, temperature=3.0, adaptive_weights=False)
    target = (batch.teacher_logits / 3.0).softmax(-1).mean(0)
    expected = Angle()(target, (output.logits / 3.0).softmax(-1))
    torch.testing.assert_close(make(**params)(batch, output)["angle"], expected)


def test_cos_counts_reliable_segments_only() -> None:
    batch, output = example(2)
    loss = make(**only(alpha=1.0, adaptive_weights=False))
    posterior = batch.teacher_logits.softmax(-1).mean(0)
    reliable = [posterior[i, batch.labels[i]] >= 0.5 for i in range(N)]
    assert set(map(bool, reliable)) == {True, False}
    assert loss.cos is not None
    log_weights = torch.full((2, N), -math.log(2), dtype=torch.float64)
    each = loss.cos(output.embedding, batch.teacher_pooled, log_weights).tolist()
    expected = sum(c for c, r in zip(each, reliable, strict=True) if r) / N
    assert loss(batch, output)["cos"].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("hint_target", ["pooled", "frames"])
@pytest.mark.parametrize("task", ["ce", "ccc"])
def test_total_is_the_weighted_sum(hint_target: str, task: str) -> None:
    weights: dict[str, Any] = {
        "k": 0.3,
        "alpha": 0.5,
        "lambda_angle": 7.0,
        "lambda_hint": 0.2,
        "lambda_2": 0.05,
    }
    batch, output = example(3)
    terms = make(hint_target=hint_target, task=task, **weights)(batch, output)
    assert list(terms) == ["task", "kl", "cos", "angle", "hint", "l2", "total"]
    factors = dict(zip(["kl", "cos", "angle", "hint", "l2"], weights.values(), strict=True))
    expected = sum(factors.get(n, 1.0) * v.item() for n, v in terms.items() if n != "total")
    assert all(terms[name].item() > 1e-4 for name in terms)
    assert terms["total"].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("params", "needs", "terms"),
    [
        ({}, set(), {"task"}),
        ({"beta": "floor"}, {"soft_targets"}, {"task"}),
        ({"beta": "paper"}, {"soft_targets"}, {"task"}),
        ({"k": 1.0}, {"soft_targets"}, {"task", "kl", "l2"}),
        ({"k": 1.0, "lambda_2": 0.0}, {"soft_targets"}, {"task", "kl"}),
        ({"k": 1.0, "adaptive_weights": False}, {"soft_targets"}, {"task", "kl"}),
        ({"lambda_angle": 1.0}, {"soft_targets"}, {"task", "angle", "l2"}),
        ({"alpha": 1.0}, {"soft_targets", "pooled"}, {"task", "cos", "l2"}),
        ({"lambda_hint": 1.0}, {"pooled"}, {"task", "hint"}),
        ({"lambda_hint": 1.0, "hint_target": "frames"}, {"frames"}, {"task", "hint"}),
    ],
)
def test_a_weight_of_zero_switches_all_of_a_term_off(
    params: dict[str, Any], needs: set[str], terms: set[str]
) -> None:
    """Of the teachers only what ``needs`` names is handed over, as the harness does."""
    plugin = Akd(AkdParams(**only(**params)))
    assert plugin.needs == needs
    batch, output = example(4)
    if "soft_targets" not in needs:
        batch = replace(batch, teacher_logits=batch.teacher_logits[:0])
    if "pooled" not in needs:
        batch = replace(batch, teacher_pooled=())
    if "frames" not in needs:
        batch = replace(batch, teacher_frames=(), teacher_lengths=())
    sizes = replace(
        shape(2),
        pooled_dims=POOLED if "pooled" in needs else (),
        frame_dims=FRAMES if "frames" in needs else (),
    )
    module = plugin.build(sizes).double()
    got = module(batch, output)
    assert set(got) == terms | {"total"}
    owners = {name.split(".")[0] for name, _ in module.named_parameters()}
    learnt = {"cos": "cos", "hint": "hint"}
    expected = {learnt[term] for term in terms & learnt.keys()}
    if AkdParams(**only(**params)).integrates and params.get("adaptive_weights", True):
        expected.add("teacher_weights")
    assert owners == expected


def test_default_needs_and_plugin() -> None:
    assert serbench_losses() == [Akd, Frames]
    assert Akd.name == "akd"
    assert Akd(AkdParams()).needs == {"soft_targets", "pooled"}


def test_one_teacher_has_no_weights_to_learn() -> None:
    batch, output = example(5, m=1)
    module = make(m=1)
    assert not any(name.startswith("teacher_weights") for name, _ in module.named_parameters())
    assert "l2" not in module(batch, output)


def test_labels_alone_need_no_teacher() -> None:
    batch, output = example(6, m=0)
    module = Akd(AkdParams(**OFF)).build(shape(0))
    expected = torch.nn.functional.cross_entropy(output.logits, batch.labels)
    torch.testing.assert_close(module(batch, output)["total"], expected)


def test_a_missing_teacher_is_said() -> None:
    with pytest.raises(PluginError, match="needs a teacher, but the run has none"):
        Akd(AkdParams()).build(shape(0))


def test_missing_maps_are_said() -> None:
    plain = replace(shape(2), map_dims=(), last_map_dim=0)
    with pytest.raises(PluginError, match=r"needs intermediate maps, but .* set lambda_hint to 0"):
        Akd(AkdParams()).build(plain)
    with pytest.raises(PluginError, match=r"student's last map, but .* adaptive_weights to false"):
        Akd(AkdParams(lambda_hint=0.0)).build(plain)


def test_a_student_without_maps_is_taught_by_all_that_needs_none() -> None:
    batch, output = example(7)
    params = AkdParams(lambda_hint=0.0, adaptive_weights=False)
    plain = Akd(params).build(replace(shape(2), map_dims=(), last_map_dim=0)).double()
    whole = Akd(params).build(shape(2)).double()
    whole.load_state_dict(plain.state_dict())
    terms = plain(batch, StudentOutput(output.logits, output.embedding))
    torch.testing.assert_close(terms, whole(batch, output))


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0.0},
        {"k": -1.0},
        {"alpha": math.nan},
        {"gate_threshold": 1.5},
        {"label_smoothing": 1.0},
        {"angle": "sine"},
        {"divergence": "cosine"},
        {"kappa": 1.0},
        {"task": "ccc", "label_smoothing": 0.1},
    ],
)
def test_bad_settings_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(params)) + "|label_smoothing"):
        AkdParams(**params)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_permutations_of_batch_and_teachers(seed: int) -> None:
    batch, output = example(seed)
    loss = make(seed=seed, hint_groups="all", lambda_angle=5.0)
    expected = {name: value.item() for name, value in loss(batch, output).items()}
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    shuffled = Batch(
        batch.features[order],
        batch.lengths[order],
        batch.labels[order],
        batch.teacher_logits[:, order],
        tuple(u[order] for u in batch.teacher_pooled),
        tuple(u[order] for u in batch.teacher_frames),
        tuple(n[order] for n in batch.teacher_lengths),
    )
    maps, masks = tuple(v[order] for v in output.maps), tuple(v[order] for v in output.masks)
    moved = StudentOutput(
        output.logits[order], output.embedding[order], maps, masks, maps[1], masks[1]
    )
    got = {name: value.item() for name, value in loss(shuffled, moved).items()}
    assert got == pytest.approx(expected, abs=1e-9)

    swapped = replace(
        batch,
        teacher_logits=batch.teacher_logits.flip(0),
        teacher_pooled=batch.teacher_pooled[::-1],
    )
    other = Akd(loss.params).build(replace(shape(2), pooled_dims=POOLED[::-1])).double()
    state = loss.state_dict()
    state["teacher_weights.theta"] = state["teacher_weights.theta"].flip(0)
    for kind in ("weight", "bias"):
        mine = [state[f"cos.projections.{t}.{kind}"] for t in (1, 0)]
        pairs = list(itertools.product(range(2), repeat=2))
        hints = {(1 - t, at): state[f"hint.projections.{t}-{at}.{kind}"] for t, at in pairs}
        state |= {f"cos.projections.{t}.{kind}": value for t, value in enumerate(mine)}
        state |= {f"hint.projections.{t}-{at}.{kind}": v for (t, at), v in hints.items()}
    other.load_state_dict(state)
    got = {name: value.item() for name, value in other(swapped, output).items()}
    assert got == pytest.approx(expected, abs=1e-9)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"divergence": "decoupled", "non_target": 4.0},
    {"divergence": "relations"},
    {"standardise": True},
    {"correct_targets": True, "gate_kl": False},
    {"divergence": "relations", "standardise": True, "correct_targets": True, "gate_kl": False},
]
"""What kl may measure, and of which soft targets."""


@pytest.mark.parametrize("options", OPTIONS)
def test_kl_and_angle_are_of_the_soft_targets_asked_for(options: dict[str, Any]) -> None:
    batch, output = example(16)
    module = make(**only(k=1.0, lambda_angle=1.0, beta="paper", **options))
    terms = module(batch, output)
    z_t, z_s = batch.teacher_logits, output.logits
    if options.get("standardise"):
        z_t, z_s = standardise(z_t), standardise(z_s)
    read = module.readings
    log_target = integrate(z_t, read["weights"].T.log(), 2.0)
    if options.get("correct_targets"):
        log_target = correct(log_target, batch.labels)
        assert (log_target.argmax(-1) == batch.labels).all()
    counts = read["reliable"] if options.get("gate_kl", True) else torch.ones(N, dtype=torch.bool)
    each = {
        "kl": lambda: SoftTargetDivergence(2.0)(log_target, z_s),
        "decoupled": lambda: DecoupledDivergence(2.0, 4.0)(log_target, z_s, batch.labels),
        "relations": lambda: RelationDistance(2.0)(log_target, z_s, counts),
    }[options.get("divergence", "kl")]()
    torch.testing.assert_close(terms["kl"], (each * counts).mean())
    torch.testing.assert_close(terms["angle"], Angle()(log_target.exp(), (z_s / 2.0).softmax(-1)))
    plain = make(**only(k=1.0, lambda_angle=1.0, beta="paper"))
    plain_terms = plain(batch, output)
    torch.testing.assert_close(read, plain.readings)  # gate and β know nothing of it
    assert terms["task"].equal(plain_terms["task"])
    assert terms["kl"].equal(plain_terms["kl"]) == (options == {})


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("angle", ["cosine", "arccos"])
@pytest.mark.parametrize("task", ["ce", "ccc"])
@pytest.mark.parametrize("teacher", [1e4, 0.0])
@pytest.mark.parametrize("student", [1e4, -1e4, 0.0])
def test_extremes_stay_finite(
    options: dict[str, Any], angle: str, task: str, teacher: float, student: float
) -> None:
    batch, output = example(7)
    batch = replace(
        batch,
        teacher_logits=teacher * batch.teacher_logits.sign().float(),
        teacher_pooled=tuple(u.float() for u in batch.teacher_pooled),
        teacher_frames=tuple(u.float() for u in batch.teacher_frames),
    )
    logits = (student * output.logits.sign().float()).requires_grad_()
    output = replace(
        output,
        logits=logits,
        maps=tuple(v.float() for v in output.maps),
        embedding=output.embedding.float(),
        last_map=output.last_map.float(),
    )
    module = make(angle=angle, task=task, hint_target="frames", **options).float()
    terms = module(batch, output)
    terms["total"].backward()
    assert all(value.isfinite() for value in terms.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("options", OPTIONS)
def test_gradient_of_the_whole(options: dict[str, Any]) -> None:
    """The gate passes no gradient and θ moves γ, so θ stays out of this check."""
    batch, output = example(8)
    module = make(hint_target="frames", lambda_angle=5.0, **options)
    logits, embedding, last = output.logits, output.embedding, output.maps[0]
    for tensor in (logits, embedding, last):
        tensor.requires_grad_()

    def total(*_: torch.Tensor) -> torch.Tensor:
        return module(batch, output)["total"]

    assert torch.autograd.gradcheck(total, (logits, embedding, last), fast_mode=True)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("hint_target", ["pooled", "frames"])
@pytest.mark.parametrize("task", ["ce", "ccc"])
def test_never_waits_for_the_device(
    options: dict[str, Any], hint_target: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors without values: whatever asks for one, as a host sync does, raises."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it knows no "meta"
    batch, output = example(10)
    module = make(hint_target=hint_target, task=task, **options).to("meta")

    def bare(x: torch.Tensor) -> torch.Tensor:
        return x.to("meta")

    mask = bare(output.last_mask)
    maps = tuple(map(bare, output.maps))
    terms = module(
        Batch(
            bare(batch.features),
            bare(batch.lengths),
            bare(batch.labels),
            bare(batch.teacher_logits),
            tuple(map(bare, batch.teacher_pooled)),
            tuple(map(bare, batch.teacher_frames)),
            tuple(map(bare, batch.teacher_lengths)),
        ),
        StudentOutput(
            bare(output.logits), bare(output.embedding), maps, (mask, mask), maps[1], mask
        ),
    )
    terms["total"].backward()
    assert terms["total"].shape == ()


# ── readings, and the label-free part ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("m", [1, 2])
def test_readings_are_what_the_terms_were_made_of(m: int) -> None:
    batch, output = example(11, m=m)
    module = make(m=m, beta="paper")
    assert module.readings == {}
    terms = module(batch, output)
    read = module.readings
    assert {name: tuple(value.shape) for name, value in read.items()} == {
        "weights": (N, m), "posterior": (N, C), "gamma": (N,), "reliable": (N,), "beta": (N,),
    }  # fmt: skip
    assert not any(value.requires_grad for value in read.values())
    torch.testing.assert_close(read["weights"].sum(1), torch.ones(N, dtype=torch.float64))
    posteriors = batch.teacher_logits.softmax(-1)  # (m, N, C)
    mixed = torch.einsum("nm,mnc->nc", read["weights"], posteriors)
    torch.testing.assert_close(read["posterior"], mixed)
    truth = mixed[torch.arange(N), batch.labels]
    torch.testing.assert_close(read["gamma"], 1 - truth)
    assert (read["reliable"] == (read["gamma"] <= 0.5)).all()
    nll = torch.nn.functional.cross_entropy(output.logits, batch.labels, reduction="none")
    torch.testing.assert_close(terms["task"], (read["beta"] * nll).mean())


def test_without_soft_targets_nothing_is_read() -> None:
    batch, output = example(12)
    module = make(**only(lambda_hint=1.0))
    module(batch, output)
    assert module.readings == {}


FULL = [
    {},
    {"hint_target": "frames"},
    {"hint_groups": "all"},
    {"hint_levels": "last"},
    {"task": "ccc", "adaptive_weights": False},
    {"label_smoothing": 0.1},
    {"unlabelled": 0.5},
    OFF,
    OFF | {"unlabelled": 1.0, "divergence": "relations"},
]
"""Losses of several kinds."""


@pytest.mark.parametrize("params", FULL)
def test_every_kind_keeps_the_contract(params: dict[str, Any]) -> None:
    check_loss(Akd, params)


def test_without_labels_something_else_must_be_learnt() -> None:
    batch, output = example(14)
    module = make(**only(task="none", k=1.0, lambda_2=0.0))
    assert set(module(batch, output)) == {"kl", "total"}
    with pytest.raises(ValidationError, match="task 'none' needs a weight above 0"):
        AkdParams(task="none", **OFF)
    with pytest.raises(ValidationError, match="label_smoothing is a setting of task 'ce'"):
        AkdParams(task="none", label_smoothing=0.1)


@pytest.mark.parametrize("hint_target", ["pooled", "frames"])
def test_hints_of_the_last_level_leave_the_others_alone(hint_target: str) -> None:
    batch, output = example(15)
    module = make(**only(lambda_hint=1.0, hint_target=hint_target, hint_levels="last"))
    first, last = (level.requires_grad_() for level in output.maps)
    module(batch, output)["hint"].backward()
    assert first.grad is None
    assert last.grad is not None
    assert last.grad.abs().sum() > 0
    assert isinstance(module.hint, PooledHint | FrameHint)
    assert {level for _, level in module.hint.pairs} == {1}


# ── windows without a label ──────────────────────────────────────────────────────────────────────


def unlabelled_example(seed: int) -> tuple[Batch, StudentOutput]:
    """Windows that have soft targets and nothing else to learn from."""
    batch, output = example(seed)
    return replace(
        batch,
        labels=torch.full((N,), -1),
        teacher_pooled=(),
        teacher_frames=(),
        teacher_lengths=(),
    ), output


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_unlabelled_windows_match_the_reference(temperature: float) -> None:
    """Weights by Eq. 5-7, as of labelled windows; no gate, whatever ``gate_kl`` says."""
    batch, output = unlabelled_example(20)
    loss = make(**only(unlabelled=0.7, temperature=temperature))
    terms = loss.unlabelled(batch, output)
    theta = loss.get_parameter("teacher_weights.theta").detach().numpy()
    v = loss.get_parameter("teacher_weights.v").detach().numpy()
    expected = 0.0
    for i in range(N):
        real = int(batch.lengths[i])
        largest = [output.last_map[i, c, :, :real].max().item() for c in range(5)]
        scores = [sum(v[c] * theta[t, c] * largest[c] for c in range(5)) for t in range(2)]
        weights = softmax(np.array(scores))
        said = [softmax(batch.teacher_logits[t, i].numpy() / temperature) for t in range(2)]
        student = softmax(output.logits[i].numpy() / temperature)
        for c in range(C):
            target = sum(weights[t] * said[t][c] for t in range(2))
            expected += temperature**2 * target * math.log(target / student[c]) / N
    assert terms["unlabelled"].item() == pytest.approx(expected, abs=1e-9)
    assert terms["total"].item() == pytest.approx(0.7 * expected, abs=1e-9)
    assert set(terms) == {"unlabelled", "total"}


def test_unlabelled_windows_take_the_soft_targets_asked_for() -> None:
    batch, output = unlabelled_example(21)
    params = {"unlabelled": 1.0, "divergence": "relations", "standardise": True}
    loss = make(**only(**params, adaptive_weights=False, correct_targets=True))
    log_weights = torch.full((2, N), -math.log(2), dtype=torch.float64)
    target = integrate(standardise(batch.teacher_logits), log_weights, 2.0)  # not corrected
    every = torch.ones(N, dtype=torch.bool)
    expected = RelationDistance(2.0)(target, standardise(output.logits), every).mean()
    torch.testing.assert_close(loss.unlabelled(batch, output)["unlabelled"], expected)


def test_windows_without_a_label_change_no_other_term() -> None:
    batch, output = example(22)
    with_some, without = make(k=0.5, unlabelled=2.0), make(k=0.5)
    after, before = with_some(batch, output), without(batch, output)
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_label_cannot_be_decoupled_where_there_is_none() -> None:
    with pytest.raises(ValidationError, match="windows of unlabelled audio have none"):
        AkdParams(unlabelled=0.5, divergence="decoupled")
    assert Akd(AkdParams(**only(unlabelled=0.5))).needs == {"soft_targets"}
    assert Akd(AkdParams()).unlabelled == 0.0


def test_gradient_of_windows_without_a_label() -> None:
    batch, output = unlabelled_example(23)
    loss = make(**only(unlabelled=0.5))
    logits = output.logits.requires_grad_()

    def total(logits: torch.Tensor) -> torch.Tensor:
        return loss.unlabelled(batch, replace(output, logits=logits))["total"]

    assert torch.autograd.gradcheck(total, (logits,))
