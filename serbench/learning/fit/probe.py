"""A linear probe: a student's classifier is solved on frozen embeddings before any gradient step.

Fine-tuning then distorts good embeddings less than when it starts from a random classifier
(LP-FT: Kumar et al., *Fine-tuning can distort pretrained features and underperform
out-of-distribution*, ICLR 2022).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api import PluginError
from serbench.learning.features import TrainingFrames, middle, student_input, window_size
from serbench.learning.fit.predict import WINDOWS_AT_ONCE
from serbench.learning.fit.task import FitTask
from serbench.learning.segments import sliding_windows
from serbench.learning.teach.crossfit import cross_fit
from serbench.learning.teach.embeddings import TrainingEmbeddings
from serbench.learning.teach.heads import Head, fit_head
from serbench.settings import HeadSettings, SegmentSettings

PROBE_OF = "linear probe of "
"""How a fit's record of its probe begins; the method's name follows."""


def classifier_of(student: nn.Module, num_classes: int, name: str) -> nn.Linear:
    """The layer that a probe sets.

    Raises:
        PluginError: the student has no such layer.
    """
    layer = getattr(student, "classify", None)
    if not isinstance(layer, nn.Linear) or layer.out_features != num_classes or layer.bias is None:
        raise PluginError(
            f"training.probe: student {name!r} has no `classify`, an nn.Linear with a bias that "
            "turns its embedding into logits; use another student, or set training.probe = false"
        )
    return layer


def probe(task: FitTask, student: nn.Module, speech: TrainingFrames) -> None:
    """Solve the student's classifier on its training partition; the rest stays unchanged.

    Windows are cut as in evaluation (``segments``), without augmentation, and embedded in
    evaluation mode and in single precision. Scores average the posteriors of these windows, so the
    classifier is fitted to them. If an utterance has n windows, each has the weight 1 / n, so that
    all utterances count the same. If the student has an ``embed``, its mean and variance are set to
    those of the windows. As for a teacher's head, the strength is chosen by cross-fitted
    log-likelihood over groups of speakers.

    Args:
        task: the fit; the probe is recorded on its training partition.
        student: on the task's device; changed in place.
        speech: normalised frames of the partition, in the order of its ids.

    Raises:
        PluginError: the student has no ``classify``.
        SplitError: the partition has a single speaker.
        LeakageError: L6, nothing may be fitted on this partition.
    """
    classify = classifier_of(student, task.num_classes, task.student.name)
    task.train.record(f"{PROBE_OF}{task.method}", task.train.ids)
    segments = task.settings.segments
    rows, first = windows_of(speech, segments)
    counts = torch.bincount(rows, minlength=len(speech))
    weights = (1.0 / counts[rows]).cpu().numpy().astype(np.float64)
    embeddings = embed_windows(
        student, speech, rows, first, segments, task.front_end.channels, weights
    )
    own = rows.cpu().numpy()
    units = np.array(task.train.units)
    train = TrainingEmbeddings(
        embeddings[:, None], task.train.labels[own], tuple(units[own].tolist()), weights
    )
    strength = choose_strength(train, task.settings.head, task.num_classes)
    set_classifier(classify, fit_head(train, task.num_classes, strength), train)


def choose_strength(train: TrainingEmbeddings, settings: HeadSettings, num_classes: int) -> float:
    """The strength with the best cross-fitted log-likelihood, up to where it first falls.

    Weaker penalties are not tried: they take most of the time, and are hardly ever right for so
    many dimensions.
    """
    best, reached = 0.0, -np.inf
    for strength in sorted(settings.strengths):
        one = settings.model_copy(update={"strengths": (strength,), "soft_targets": "cross-fit"})
        likelihood = cross_fit(train, one, num_classes).log_likelihood[strength]
        if likelihood <= reached:
            break
        best, reached = strength, likelihood
    return best


def windows_of(speech: TrainingFrames, settings: SegmentSettings) -> tuple[Tensor, Tensor]:
    """Utterance ``(W,)`` and first frame ``(W,)`` of all windows, as in evaluation to within one
    frame.
    """
    device = speech.count.device
    if speech.whole or settings.cut == "centre":
        rows_of_all = torch.arange(len(speech), device=device)
        return rows_of_all, middle(speech.count, window_size(speech, settings))
    rows: list[int] = []
    first: list[int] = []
    for row, count in enumerate(speech.count.tolist()):
        duration_s = max(count - 1, 1) / speech.rate_hz
        bounds = sliding_windows(duration_s, settings.window_s, settings.overlap_s)
        rows += [row] * len(bounds)
        first += [min(round(start_s * speech.rate_hz), count - 1) for start_s, _ in bounds]
    return torch.tensor(rows, device=device), torch.tensor(first, device=device)


@torch.no_grad()
def embed_windows(
    student: nn.Module,
    speech: TrainingFrames,
    rows: Tensor,
    first: Tensor,
    settings: SegmentSettings,
    channels: int,
    weights: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Embeddings ``(W, E)``; if the student has an ``embed``, its statistics are set first."""
    size = window_size(speech, settings)
    embed = getattr(student, "embed", None)
    if not (isinstance(embed, nn.BatchNorm1d) and embed.running_mean is not None):
        embed = None
    inputs: list[Tensor] = []
    hook = embed and embed.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    student.eval()
    for start in range(0, len(rows), WINDOWS_AT_ONCE):
        chosen = slice(start, start + WINDOWS_AT_ONCE)
        frames, lengths = speech.windows(rows[chosen], first[chosen], size)
        output = student(student_input(frames, lengths, channels), lengths)
        if embed is None:
            inputs.append(output.embedding)
    if embed is None or hook is None:
        return torch.cat(inputs).float().cpu().numpy()
    hook.remove()
    gathered = torch.cat(inputs).float()
    set_statistics(embed, gathered, torch.from_numpy(weights).to(gathered.device))
    return embed(gathered).cpu().numpy()


def set_statistics(embed: nn.BatchNorm1d, inputs: Tensor, weights: Tensor) -> None:
    """Set running mean and variance to those of ``inputs (W, E)``, rows weighted by ``weights``."""
    assert embed.running_mean is not None
    assert embed.running_var is not None
    exact, share = inputs.double(), (weights / weights.sum())[:, None]
    mean = (share * exact).sum(dim=0)
    embed.running_mean.copy_(mean)
    embed.running_var.copy_((share * (exact - mean).square()).sum(dim=0))


@torch.no_grad()
def set_classifier(classify: nn.Linear, head: Head, train: TrainingEmbeddings) -> None:
    """Write a head of one layer, with its standardisation, into a classifier.

    A class that the partition lacks gets no weight, and a bias that gives it a posterior of at
    most 1 / (W + 1) on each of the W windows.
    """
    weight = head.weight / head.scale[0][:, None]  # (E, C')
    bias = head.bias - head.mean[0] @ weight
    lowest = float(head.predict(train.pooled).min()) if len(head.classes) < head.num_classes else 0
    whole = np.zeros((head.num_classes, len(weight)))
    offsets = np.full(head.num_classes, lowest)
    whole[head.classes], offsets[head.classes] = weight.T, bias
    classify.weight.copy_(torch.from_numpy(whole))
    classify.bias.copy_(torch.from_numpy(offsets))
