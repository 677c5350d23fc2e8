"""``serbench export``: one self-contained model from a finished run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from serbench.cli import complete
from serbench.cli.options import (
    RUNS,
    DataDir,
    Device,
    Jobs,
    PretrainAudio,
    RegistryFile,
    RunArgument,
    RunsFolder,
    named,
)

HELP = """Write a trained student as one ONNX file, from waveform to posteriors.

The file takes a 16 kHz waveform; front end, normaliser, windows and the mean over them are inside.
Class names and origin are in the metadata. Only ONNX Runtime is needed to run it. Before the file
is written, its posteriors are compared with PyTorch's on every utterance of the corpus. A model
card is written next to it, with the same name and the ending .md: scores, licences, limits, and the
metadata that Hugging Face reads.

Examples:

  serbench export

  serbench export runs/emodb-akd --method akd --refit-all --pretrain-audio ~/speech

  serbench export emodb-akd --fold 3 --backend onnxruntime-int8 --output small.onnx
"""


Method = Annotated[
    str | None,
    named("METHOD", "--method", "-m", help="Method to export. Default: the run's first."),
]
RefitAll = Annotated[
    bool,
    typer.Option(
        "--refit-all",
        help="First train a model on all speakers, and export it. It has no test score.",
    ),
]
Converted = Annotated[
    str | None,
    typer.Option(
        metavar="BACKEND",
        autocompletion=complete.backends,
        help="Convert for this backend: onnxruntime-int8, onnxruntime-fp16, …",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="File to write. Default: DATASET-METHOD.onnx in the current folder.",
    ),
]


def command(
    run: RunArgument = None,
    method: Method = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the student.")] = 0,
    fold: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Outer fold of the student. Default: 1.")
    ] = None,
    refit_all: RefitAll = False,
    backend: Converted = None,
    output: Output = None,
    pretrain_audio: PretrainAudio = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    jobs: Jobs = None,
    runs: RunsFolder = RUNS,
    registry: RegistryFile = None,
) -> None:
    """Write a trained student as one ONNX file; see HELP."""
    from serbench.api import Backend, StoreError
    from serbench.benchmark.progress import progress_observer
    from serbench.cli.console import say
    from serbench.device.export.file import check_replaceable, export_file
    from serbench.device.export.source import default_name, export_source
    from serbench.running.store.find import find_run
    from serbench.studies.model_card import CardOf, check_card_replaceable, write_model_card
    from serbench.studies.opened import Opened

    if refit_all and fold is not None:
        raise StoreError(
            "give --fold or --refit-all, not both: a model refitted on all speakers belongs to "
            "no fold"
        )
    folder = find_run(run, runs)
    if output is not None:
        check_replaceable(output)
        check_card_replaceable(output)
    opened = Opened((folder,), overlay=registry, data_dir=data_dir, device_name=device, jobs=jobs)
    with opened.watched(progress_observer):
        replay = opened.replay
        converter: Backend | None = None
        if backend:
            converter = opened.registry.make("backends", backend)
        source = export_source(
            replay, method, seed, None if refit_all else fold or 1,
            pretrain_audio, opened.executor,
        )  # fmt: skip
        place = output or Path(default_name(source.trained, backend))
        check_card_replaceable(place)
        parity = export_file(replay, source.trained, place, converter, source.calibration)
        card = write_model_card(CardOf(replay, source.trained, place, parity, backend))
    name = os.path.relpath(place)
    say(
        *source.lines(parity, backend),
        f"Written: {name} ({place.stat().st_size / 1e6:.2f} MB)",
        f"Model card: {os.path.relpath(card)} (README.md of a Hugging Face repository)",
        f"Try it: serbench predict {name} FILE.wav",
    )
