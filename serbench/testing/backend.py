"""The contract of deployment backends."""

from __future__ import annotations

import atexit
import hashlib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from serbench.api import (
    SAMPLE_RATE_HZ,
    Backend,
    DeployedModel,
    Hears,
    Params,
    Student,
    StudentOutput,
    StudentShape,
    WaveformPredictor,
    Waveforms,
)
from serbench.settings import SegmentSettings
from serbench.testing.checks import Check, run_all, together
from serbench.testing.common import (
    instance_of,
    make,
    require,
    require_available,
    require_finite,
    require_shape,
)
from serbench.testing.student import front_end_of, windows

__tracebackhide__ = True

LABELS = ("anger", "fear", "joy", "neutral")

CASES = ((1, 0.1), (3, 1.0), (1, 3.0), (2, 3.01), (2, 7.0))
"""Number of utterances and their seconds: less than a window, one, and several."""

SUM_TOLERANCE = 1e-3


class ProbeStudent(nn.Module):
    """A very small student for checks: one masked convolution over time, mean pooling."""

    def __init__(self, num_classes: int = 4, n_mels: int = 40) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3 * n_mels, 16, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        """From ``(N, 3, n_mels, frames)`` and ``(N,)`` to logits ``(N, C)`` and the rest."""
        mask = torch.arange(features.shape[3], device=features.device) < lengths[:, None]
        real = mask[:, None].to(features.dtype)  # (N, 1, frames)
        hidden = torch.relu(self.convolution(features.flatten(1, 2) * real)) * real
        embedding = self.dropout(hidden.sum(dim=2) / real.sum(dim=2))  # (N, 16)
        last_map = hidden[:, :, None]  # (N, 16, 1, frames)
        logits = self.classifier(embedding)
        return StudentOutput(logits, embedding, (last_map,), (mask,), last_map, mask)


class ProbeParams(Params):
    """``ProbeStudent`` has no parameters."""


class Probe(Student):
    """``ProbeStudent`` as a plugin, with weights that make its posteriors differ."""

    name = "probe"
    Params = ProbeParams

    def build(self, shape: StudentShape) -> nn.Module:
        """A new network."""
        student = ProbeStudent(shape.num_classes, shape.n_mels)
        with torch.no_grad():
            student.classifier.weight.mul_(8.0)
        return student


@cache
def probe_model() -> DeployedModel:
    """A small model with random weights, to test a backend with.

    It is made once per process, which takes some seconds, and is stored in a temporary folder. Its
    windows are serbench's: 3 s with an overlap of 0.5 s.
    """
    # Imported late: these stand above the contract, which is all that other checks need.
    from serbench.device.export.deployed import Trained
    from serbench.learning.features import Normaliser

    folder = TemporaryDirectory(prefix="serbench-probe-")
    atexit.register(folder.cleanup)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student = Probe(ProbeParams())
        network = student.build(StudentShape(len(LABELS))).eval()
    trained = Trained(
        name="probe/seed-0/outer-1",
        student=student,
        network=network,
        normaliser=Normaliser(torch.full((40,), -6.0), torch.full((40,), 2.0)),
        labels=LABELS,
        front_end=front_end_of(Hears()),
        segments=SegmentSettings(),
        provenance={"trained": "never: random weights"},
    )
    calibration = [utterances(1, 0.5 + 0.5 * n, seed=100 + n)[0] for n in range(8)]
    return trained.write(Path(folder.name), calibration)


def utterances(count: int, duration_s: float, seed: int = 0) -> Waveforms:
    """``(count, samples)``: swelling noise, each with its own tone."""
    draw = np.random.default_rng(seed)
    at_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tones_hz = draw.uniform(100.0, 4000.0, (count, 1))
    tone = draw.uniform(0.0, 0.3, (count, 1)) * np.sin(2 * np.pi * tones_hz * at_s)
    noise = draw.normal(0.0, 0.05, (count, len(at_s))) * (0.2 + at_s / duration_s)
    return (tone + noise).astype(np.float32)


def backend_checks(
    cls: type, params: Mapping[str, object] | None = None, tolerance: float = 1e-4
) -> Iterator[Check]:
    """Checks of the contract of deployment backends.

    A small model, converted and opened with one thread, must give PyTorch's posteriors: float32, in
    rows that sum to 1, identical each time, for one utterance and several, shorter and longer than
    a window. Converting must not change the model's own files. A backend that also scores folds
    within runs (``compile``) must give the student's own logits, without a gradient, and must not
    change the student. All checks but the first are skipped if the backend cannot run.

    Args:
        cls: the plugin class.
        params: if its ``Params`` have no defaults, or to check other values.
        tolerance: greatest difference of a posterior or logit; use more for reduced precision.
    """
    made = cache(partial(make, cls, params))
    available = cache(partial(_available, made))
    yield Check("class and parameters", made)
    yield Check("facts", lambda: _check_facts(made()))
    yield Check("availability", available)
    yield Check("posteriors", lambda: _check_conversion(available(), tolerance))
    if getattr(cls, "compile", Backend.compile) is not Backend.compile:
        yield Check("logits within runs", lambda: _check_compile(available(), tolerance))


check_backend = together(backend_checks)
"""Run all ``backend_checks`` and report every failure together in one ``AssertionError``. Returns
the reason if a backend cannot be used here, else None.
"""


def _check_facts(backend: Backend) -> None:
    for what in ("precision", "device"):
        text = getattr(backend, what)
        require(isinstance(text, str) and text.strip(), f"{what} must be a word, not {text!r}")
    require(backend.device in ("cpu", "cuda"), f"device must be cpu or cuda, not {backend.device}")


def _available(made: Callable[[], Backend]) -> Backend:
    backend = made()
    require_available(backend.unavailable())
    return backend


def _check_conversion(backend: Backend, tolerance: float) -> None:
    with TemporaryDirectory(prefix="serbench-check-") as folder:
        converted = cache(partial(_converted, backend, Path(folder)))
        checks = [Check("conversion", converted)]
        for count, duration_s in CASES:
            waveforms = utterances(count, duration_s)
            check = partial(_check_posteriors, converted, waveforms, tolerance)
            checks.append(Check(f"{count} × {duration_s:g} s", check))
        run_all(checks)


def _converted(backend: Backend, folder: Path) -> WaveformPredictor:
    model = probe_model()
    home = model.onnx.parent
    before = _digests(home)
    backend.convert(model, folder)
    require(_digests(home) == before, "convert must not change the model's own files")
    require(any(folder.rglob("*")), "convert must write everything that open needs into its folder")
    written = _digests(folder)
    predict = backend.open(model, folder, 1)
    require(_digests(folder) == written, "open must not change what convert wrote")
    return predict


def _check_posteriors(
    converted: Callable[[], WaveformPredictor], waveforms: Waveforms, tolerance: float
) -> None:
    predict = converted()
    with torch.no_grad():
        expected = probe_model().module()(torch.from_numpy(waveforms)).numpy()
    given = waveforms.copy()
    posteriors = instance_of(predict(given), np.ndarray, "posteriors")
    require(np.array_equal(given, waveforms), "a predictor must not change its input")
    require(
        posteriors.shape == expected.shape,
        f"posteriors must be {expected.shape}, not {posteriors.shape}",
    )
    require(posteriors.dtype == np.float32, f"posteriors must be float32, not {posteriors.dtype}")
    require(bool(np.isfinite(posteriors).all()), "posteriors must be finite")
    sums = posteriors.sum(axis=1)
    require(
        bool((abs(sums - 1.0) <= SUM_TOLERANCE).all()),
        f"posteriors must sum to 1, not {sums.tolist()}",
    )
    worst = float(np.abs(posteriors - expected).max())
    require(
        worst <= tolerance,
        f"posteriors differ from PyTorch's by {worst:.1e}, more than {tolerance:g}",
    )
    kept = posteriors.copy()
    again = predict(given)
    require(np.array_equal(again, kept), "the same input must give the same posteriors each time")
    require(
        np.array_equal(posteriors, kept),
        "a predictor must not change posteriors that it returned earlier",
    )


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check_compile(backend: Backend, tolerance: float) -> None:
    torch.manual_seed(0)
    student = ProbeStudent().train()
    before = deepcopy(student.state_dict())
    predict = backend.compile(student, *windows(StudentShape(len(LABELS)), 2, 120))
    require(student.training, "compile must leave the student's mode as it was")
    for key, weight in student.state_dict().items():
        require(
            weight.dtype == before[key].dtype and torch.equal(weight, before[key]),
            f"compile must not change the student, but changed {key}",
        )
    student.eval()
    for count, frames in ((2, 120), (1, 120), (5, 300), (3, 30)):
        features, lengths = windows(StudentShape(len(LABELS)), count, frames, seed=count)
        with torch.no_grad():
            expected = student(features, lengths).logits
        _check_logits(predict(features, lengths), expected, tolerance, f"{count} × {frames} frames")
        require(
            torch.equal(predict(features, lengths), predict(features, lengths)),
            "the same input must give the same logits each time",
        )


def _check_logits(logits: Tensor, expected: Tensor, tolerance: float, case: str) -> None:
    require_shape(logits, tuple(expected.shape), f"logits of {case}")
    require(logits.dtype == torch.float32, f"logits must be float32, not {logits.dtype}")
    require(not logits.requires_grad, "a predictor must not track gradients")
    require_finite(logits, f"logits of {case}")
    worst = float((logits.cpu() - expected).abs().max())
    require(
        worst <= tolerance,
        f"logits of {case} differ from the student's own by {worst:.1e}, more than {tolerance:g}",
    )
