"""Options that several commands take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from serbench.cli import complete

COMPLETED: dict[str, complete.Complete] = {
    "DATASET": complete.datasets,
    "MAP": complete.labels,
    "METHOD": complete.methods,
    "PROFILE": complete.profiles,
    "TEACHER": complete.teachers,
    "TRACKER": complete.trackers,
}
"""Completions of names, by their placeholder in ``--help``."""


def named(what: str, *flags: str, help: str) -> Any:  # noqa: A002 - as typer.Option
    """An option that takes a name, completed by the shell; ``what`` is a key of ``COMPLETED``."""
    return typer.Option(*flags, metavar=what, autocompletion=COMPLETED[what], help=help)


RunArgument = Annotated[
    str | None,
    typer.Argument(
        autocompletion=complete.runs,
        metavar="RUN",
        help="A run's folder, or its name in --runs. Default: the newest.",
    ),
]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="FOLDER", help="Folder with runs.")]
Dataset = Annotated[
    str | None,
    named("DATASET", "--dataset", "-d", help="Dataset or corpus to cross-validate on."),
]
Train = Annotated[
    list[str] | None,
    named(
        "DATASET",
        "--train",
        help="Train on this dataset and test on --test, instead of --dataset; repeatable.",
    ),
]
Test = Annotated[
    str | None,
    named("DATASET", "--test", help="Test on this dataset; nothing is trained on it."),
]
Labels = Annotated[
    str,
    named(
        "MAP",
        "--labels",
        help="Label map that defines the classes: common-4, common-6, or your own. Default: the "
        "corpus's own classes; for several corpora, the classes that all share.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        help="Use at most N utterances of each corpus, chosen by speaker and class, for a quick "
        "look. Every table says so.",
    ),
]
Fraction = Annotated[
    float | None,
    typer.Option("--fraction", metavar="F", help="Use this share of each corpus, such as 0.1."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder with a local copy of the corpus. For several corpora: a folder with one "
        "folder each.",
    ),
]
Teachers = Annotated[
    list[str] | None,
    named(
        "TEACHER",
        "--teacher",
        help="Teacher of the registry, or a folder with an encoder; repeatable. NAME@LAYER is "
        "another layer of the same encoder.",
    ),
]
PretrainAudio = Annotated[
    Path | None,
    typer.Option(
        "--pretrain-audio",
        metavar="FOLDER",
        help="Unlabelled speech. Students first learn from it, without labels.",
    ),
]
Profile = Annotated[
    str,
    named(
        "PROFILE",
        "--profile",
        "-p",
        help="How thorough the run is: demo, quick, standard, paper, or your own. --canary uses "
        "canary.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change any setting; repeatable."),
]
Canary = Annotated[
    bool,
    typer.Option(
        "--canary",
        help="First train on permuted labels, 5 times with the canary profile: a score above "
        "chance reveals a leak.",
    ),
]
AllowPretrainingOverlap = Annotated[
    bool,
    typer.Option(
        "--allow-pretraining-overlap",
        help="Use a teacher that was trained on this corpus; every table says so.",
    ),
]
TrackerNames = Annotated[
    list[str] | None,
    named(
        "TRACKER",
        "--tracker",
        help="Also log the run to tensorboard, mlflow or your own tracker; repeatable. none: "
        "not even events.jsonl.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, …")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Fits to run in parallel, each on one core (training.threads changes that). Default: "
        "one per core; on a GPU, as many as fit in its memory. The results do not depend on it.",
    ),
]
Executor = Annotated[
    Literal["local", "dask", "ray"],
    typer.Option(
        "--executor",
        help="Where fits are computed: on this machine, or by the workers of a Dask or Ray "
        "cluster. The results are the same.",
    ),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        show_default=False,
        help="Address of the cluster, such as tcp://HOST:8786. Ray without one starts its workers "
        "on this machine.",
    ),
]
StopAfter = Annotated[
    str | None,
    typer.Option(
        "--stop-after",
        metavar="TIME",
        help="End after this time, such as 8h or 1h30m, with exit code 75. The same command "
        "continues.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only print what would be computed, how long it would take, and how much memory and "
        "disk space it would need. A few utterances are computed for this; no run is made.",
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="FOLDER", help="Folder that new run folders are created in."),
]
RegistryFile = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        metavar="FILE",
        help="Registry file that extends the packaged registry. Default: ./serbench.toml.",
    ),
]
AllowIncomplete = Annotated[
    bool, typer.Option("--allow-incomplete", help="Use a corpus although files are missing.")
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Log more; -vv logs everything."
    ),
]

KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY

RUNS = Path("runs")
"""Default folder of runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of a run. Each field is an option, see ``with_run_options``."""

    dataset: Dataset = None
    train: Train = None
    test: Test = None
    labels: Labels = ""
    limit: Limit = None
    fraction: Fraction = None
    data_dir: DataDir = None
    teacher: Teachers = None
    pretrain_audio: PretrainAudio = None
    profile: Profile = "standard"
    settings: Settings = None
    canary: Canary = False
    allow_pretraining_overlap: AllowPretrainingOverlap = False
    device: Device = "auto"
    jobs: Jobs = None
    executor: Executor = "local"
    address: Address = ""
    stop_after: StopAfter = None
    dry_run: DryRun = False
    out: Out = RUNS
    registry: RegistryFile = None
    allow_incomplete: AllowIncomplete = False
    tracker: TrackerNames = None
    verbose: Verbose = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The options as arguments of ``serbench.run``."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        del given["verbose"], given["dry_run"]
        return {name: value for name, value in given.items() if value is not None}


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of a run before its own; it receives them as ``asked``."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = get_type_hints(Asked, include_extras=True)
    defaults = {each.name: each.default for each in fields(Asked)}

    @wraps(command)
    def wrapped(**given: object) -> None:
        from serbench.cli.console import configure_logging

        asked = Asked(**{name: given.pop(name) for name in shared})  # pyright: ignore[reportArgumentType]
        # Printed before heavy imports, which take seconds.
        typer.echo("Loading plugins and the registry …", err=True)
        configure_logging(asked.verbose)
        command(asked=asked, **given)

    parameters = [
        *(
            inspect.Parameter(name, KEYWORD_ONLY, default=defaults[name], annotation=kind)
            for name, kind in shared.items()
        ),
        *(each.replace(kind=KEYWORD_ONLY) for name, each in own.items() if name != "asked"),
    ]
    wrapped.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped
