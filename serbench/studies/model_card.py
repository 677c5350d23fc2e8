"""The model card of an exported file: Markdown with Hugging Face's metadata.

Everything in it is a fact of the run, of the corpus or of the file. What was not measured is called
unknown. The text is in ``templates/model_card.md.j2``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from serbench import __version__
from serbench.api import SAMPLE_RATE_HZ, StoreError, TeacherCard
from serbench.device.export.deployed import Trained
from serbench.device.export.parity import Parity
from serbench.errors import numbered
from serbench.files.atomic import write_text
from serbench.learning.evaluate import Metric, Scores, score
from serbench.results.compare.records import MethodResult
from serbench.results.report.marks import warning_lines
from serbench.results.report.results import load_results
from serbench.results.table.formats import interval_text, percent
from serbench.results.templating import templates
from serbench.running.replay.run import Replay
from serbench.studies.deploy.results import FILE
from serbench.studies.deploy.results import load_results as load_deployment
from serbench_runtime.audio.read import SHORTEST_S

PACKAGE = "serbench.studies"

MARKER = "<!-- Written by serbench export, which replaces this file when it writes {} again. -->"

METRICS: dict[Metric, tuple[str, str]] = {
    "ua": ("recall", "UA (unweighted accuracy, mean recall of the classes)"),
    "wa": ("accuracy", "WA (weighted accuracy, accuracy)"),
    "macro_f1": ("f1", "macro-F1"),
}
"""Hugging Face's name of each metric, and serbench's."""

LANGUAGES = {
    "Bangla": "bn", "English": "en", "French": "fr", "German": "de", "Greek": "el",
    "Italian": "it", "Mandarin": "zh", "Persian": "fa", "Polish": "pl", "Spanish": "es",
    "Urdu": "ur",
}  # fmt: skip
"""ISO 639-1 codes of the languages of known corpora."""

WINDOWS = {
    "sliding": "{window_s:g} s with {overlap_s:g} s of overlap; the output is the mean over them",
    "centre": "one, the middle {window_s:g} s of the recording",
    "whole": "one, the whole recording",
}


@dataclass(frozen=True)
class CardOf:
    """An exported file, and where its facts come from.

    Attributes:
        replay: the run.
        trained: the student that is in the file.
        file: the exported file.
        parity: the file compared with PyTorch.
        backend: the backend that converted it; None: the file is the fp32 graph.
    """

    replay: Replay
    trained: Trained
    file: Path
    parity: Parity
    backend: str | None = None

    @property
    def path(self) -> Path:
        """Where the card is written."""
        return card_path(self.file)

    @property
    def known(self) -> dict[str, Any]:
        """The provenance in the file's metadata."""
        return dict(self.trained.provenance)

    @property
    def plan(self) -> dict[str, Any]:
        """The method's entry in the plan."""
        methods = self.replay.plan["methods"]
        return next(each for each in methods if each["name"] == self.known["method"])

    @cached_property
    def pooled(self) -> MethodResult:
        """The method over all outer test folds."""
        results = load_results([self.replay.run.folder], marked=False)
        named = results.comparison.methods
        return next(each for each in named if each.method == self.known["method"])

    @cached_property
    def own(self) -> Scores | None:
        """The model's scores on its own test speakers, before a conversion; None if it has none."""
        if "outer_fold" not in self.known:
            return None
        known, rows = self.known, self.replay.run.predictions
        same = (rows["method"] == known["method"]) & (rows["seed"] == known["seed"])
        rows = rows.loc[same & (rows["outer"] == known["outer_fold"])]
        place = {label: number for number, label in enumerate(self.trained.labels)}
        labels, predicted = (
            np.array([place[str(label)] for label in rows[column]])
            for column in ("label", "predicted")
        )
        return score(labels, predicted, len(place))

    @property
    def parts(self) -> list[TeacherCard]:
        """Pretrained models that are part of this one, or from which its training started."""
        cards = (self.trained.student.card, self.trained.front_end.card)
        return [card for card in cards if card is not None]


def card_path(file: Path) -> Path:
    """Where the card of an exported file is written: ``model.md`` beside ``model.onnx``."""
    return file.with_suffix(".md")


def check_card_replaceable(file: Path) -> None:
    """
    Raises:
        StoreError: a Markdown file of the same name is next to ``file``, and serbench did not write
            it.
    """
    path = card_path(file)
    if not path.exists():
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    if MARKER.partition("{")[0] not in text:
        raise StoreError(
            f"{path} exists and was not written by serbench export; the model card would replace "
            "it: give another --output"
        )


def write_model_card(of: CardOf) -> Path:
    """Write the card next to the exported file.

    Returns:
        The path of the card.

    Raises:
        StoreError: the card cannot be written, or files of the run are damaged.
    """
    write_text(of.path, model_card(of))
    return of.path


def model_card(of: CardOf) -> str:
    """The card: YAML between two lines of hyphens, then Markdown.

    Raises:
        StoreError: files of the run are damaged.
    """
    text = templates(PACKAGE).get_template("model_card.md.j2").render(_facts(of))
    return str(ModelCard(f"---\n{_metadata(of).to_yaml()}\n---\n\n{text}"))


def _metadata(of: CardOf) -> ModelCardData:
    """The front matter; ``model-index`` has only scores of this very file."""
    card, known = of.replay.table.card, of.known
    codes = [LANGUAGES[word] for word in re.findall(r"\w+", card.language) if word in LANGUAGES]
    results = []
    if of.own is not None and of.parity.changed == 0:
        for metric, (kind, title) in METRICS.items():
            results.append(
                EvalResult(
                    task_type="audio-classification",
                    task_name="speech emotion recognition",
                    dataset_type=known["dataset"],
                    dataset_name=card.title,
                    dataset_split=f"test speakers {', '.join(known['test_speakers'])}",
                    metric_type=kind,
                    metric_name=title,
                    metric_value=round(float(getattr(of.own, metric)), 4),
                )
            )
    starts = [each.title for each in of.parts if re.fullmatch(r"[\w.-]+/[\w.-]+", each.title)]
    taught = ["knowledge-distillation"] if of.plan["teachers"] else []
    return ModelCardData(
        license="unknown",
        language=codes or None,
        library_name="onnx",
        pipeline_tag="audio-classification",
        tags=["speech-emotion-recognition", "serbench", "onnxruntime", *taught],
        datasets=[known["dataset"]],
        metrics=[kind for kind, _ in METRICS.values()],
        base_model=starts or None,
        model_name=of.file.stem if results else None,
        eval_results=results or None,
    )


def _facts(of: CardOf) -> dict[str, Any]:
    """The facts for the template."""
    segments, certificate = of.trained.segments, of.replay.certificate
    content = of.file.read_bytes()
    sentences = [check.detail for check in certificate.checks if check.code == "L9"]
    audio = certificate.audio if of.plan.get("pretrained") else None
    return {
        "marker": MARKER.format(of.file.name),
        "version": __version__,
        "name": of.file.stem,
        "file": of.file.name,
        "labels": of.trained.labels,
        "megabytes": f"{len(content) / 1e6:.2f}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "rate_hz": SAMPLE_RATE_HZ,
        "shortest_s": f"{SHORTEST_S:g}",
        "windows": WINDOWS[of.trained.plan.cut_how].format(
            window_s=segments.window_s, overlap_s=segments.overlap_s
        ),
        "parameters": f"{of.trained.facts['student']['parameters']:,}",
        "backend": of.backend,
        "latency": _latency(of),
        "known": of.known,
        "method": {"reconstruction": False, **of.plan},
        "fold": of.known.get("outer_fold"),
        "folds": len(of.replay.plan["outer"]),
        "tested": 0 if of.own is None else int(of.own.confusion.sum()),
        "scores": _score_rows(of),
        "speakers": len(of.pooled.speaker_ua),
        "parity": of.parity,
        "certificate": certificate,
        "corpus": of.replay.table.card,
        "parts": of.parts,
        "teachers": [of.replay.plan["cards"][name] for name in of.plan["teachers"]],
        "audio": audio,
        "sentences": "".join(sentences),
        "warnings": warning_lines([certificate]),
    }


def _score_rows(of: CardOf) -> list[list[str]]:
    rows = []
    names: tuple[tuple[Metric, str], ...] = (("ua", "UA"), ("wa", "WA"), ("macro_f1", "macro-F1"))
    for metric, name in names:
        own = [] if of.own is None else [percent(getattr(of.own, metric))]
        rows.append([name, *own, interval_text(of.pooled.pooled[metric])])
    return rows


def _latency(of: CardOf) -> str:
    """The latency of this kind of file in the deployment study of the same method, if any."""
    path = of.replay.run.folder / "deploy" / FILE
    found = load_deployment(path) if path.is_file() else None
    wanted = of.backend or "onnxruntime"
    rows = [] if found is None else [row for row in found.rows if row.name == wanted and row.rounds]
    same = (of.known["plan_digest"], of.known["method"])
    if found is None or not rows or (found.run.plan_digest, found.run.method) != same:
        return "not measured"
    length_s = found.settings.effort.window_s
    calls = np.concatenate([each.latency_of(length_s) for each in rows[0].rounds])
    return (
        f"{1000 * float(np.median(calls)):.1f} ms for {length_s:g} s of audio "
        f"({found.machine.cpu}, {numbered(found.settings.threads, 'thread')}; median, of "
        "the model of outer fold 1)"
    )
