"""Options that several commands take, and a run from them."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

if TYPE_CHECKING:
    from serbench.running.harness.resources import Resources
    from serbench.running.plan.records import Request, RunPlan
    from serbench.running.plugins import Plugins
    from serbench.running.registry.lookup import Registry

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="A run's folder, or its name in --runs. Default: the newest."
    ),
]
RunsFolder = Annotated[
    Path, typer.Option("--runs", metavar="FOLDER", help="The folder that holds runs.")
]
Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="DATASET",
        help="Dataset or corpus, cross-validated within itself.",
    ),
]
Train = Annotated[
    list[str] | None,
    typer.Option(
        "--train",
        metavar="DATASET",
        help="Train on this one and test on --test, in place of --dataset; repeatable.",
    ),
]
Test = Annotated[
    str | None,
    typer.Option("--test", metavar="DATASET", help="Test on this one; never trained on."),
]
Labels = Annotated[
    str,
    typer.Option(
        "--labels",
        metavar="MAP",
        help="Classes by a label map: common-4, common-6, or your own. Default: the corpus's own; "
        "of several corpora, those that all have.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder with a local copy of the corpus; with --train, one that holds a folder "
        "for each corpus.",
    ),
]
Teachers = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="TEACHER",
        help="Teacher of the registry, or a folder with an encoder; repeatable.",
    ),
]
PretrainAudio = Annotated[
    Path | None,
    typer.Option(
        "--pretrain-audio",
        metavar="FOLDER",
        help="Unlabelled speech: students whose loss can first learn from it, without labels and "
        "before any fold.",
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        "-p",
        metavar="PROFILE",
        help="How thorough the run is: demo, quick, standard, paper, or your own; canary is what "
        "--canary takes.",
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
        help="First run everything on permuted labels, 5 times and cheaply: "
        "what then beats chance has a leak.",
    ),
]
AllowPretrainingOverlap = Annotated[
    bool,
    typer.Option(
        "--allow-pretraining-overlap",
        help="Go on with a teacher that was trained on this corpus; every table says so.",
    ),
]
TrackerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="TRACKER",
        help="Also write the run down in tensorboard, mlflow or your own; repeatable. "
        "none: not even events.jsonl.",
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, …")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", metavar="N", min=1, help="Fits side by side. Default: one per core."
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder that run folders are made in.")
]
RegistryFile = Annotated[
    Path | None,
    typer.Option(
        "--registry", metavar="FILE", help="Overlay of the registry. Default: ./serbench.toml."
    ),
]
AllowIncomplete = Annotated[
    bool, typer.Option("--allow-incomplete", help="Go on with a corpus that lacks files.")
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Log more; -vv: everything."
    ),
]

KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY

RUNS = Path("runs")
"""Where run folders go unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options of a run say. Each field is an option, see ``with_run_options``."""

    dataset: Dataset = None
    train: Train = None
    test: Test = None
    labels: Labels = ""
    data_dir: DataDir = None
    teacher: Teachers = None
    pretrain_audio: PretrainAudio = None
    profile: Profile = "standard"
    settings: Settings = None
    canary: Canary = False
    allow_pretraining_overlap: AllowPretrainingOverlap = False
    device: Device = "auto"
    jobs: Jobs = None
    out: Out = RUNS
    registry: RegistryFile = None
    allow_incomplete: AllowIncomplete = False
    tracker: TrackerNames = None
    verbose: Verbose = 0

    def begin(self) -> Registry:
        """Set up logging, and load plugins and registry.

        Raises:
            RegistryError: the registry has errors.
        """
        from serbench.running.plugins import load_plugins
        from serbench.running.registry.load import load_registry
        from serbench_runtime.cli.console import configure_logging

        configure_logging(self.verbose)
        return load_registry(load_plugins(), self.registry, strict=False)

    def request(self, *methods: str, protocol: str | None = None) -> Request:
        """Of these methods; what ``--set`` says goes over what other options say.

        Raises:
            RegistryError: neither ``--dataset``, nor ``--train`` and ``--test``.
        """
        from serbench.running.plan.records import Request

        sets = [f"protocol.name={protocol}"] if protocol else []
        sets += ["protocol.canary=5"] if self.canary else []
        if self.allow_pretraining_overlap:
            sets += ["protocol.allow_pretraining_overlap=true"]
        return Request(
            dataset=self._evaluated(),
            methods=methods,
            profile=self.profile,
            teachers=tuple(self.teacher or ()),
            sets=(*sets, *(self.settings or ())),
            pretrain_audio=self.pretrain_audio,
            train=tuple(self.train or ()),
            labels=self.labels,
        )

    def _evaluated(self) -> str:
        """The dataset that is tested."""
        from serbench.api import RegistryError

        given = bool(self.train), bool(self.test)
        if self.dataset and not any(given):
            return self.dataset
        if self.test and all(given) and not self.dataset:
            return self.test
        raise RegistryError(
            "name what to run on: --dataset NAME cross-validates within a corpus, --train NAME "
            "--test OTHER trains on one (or several) and tests on another; serbench list datasets "
            "shows them"
        )

    def resources(self, plugins: Plugins) -> Resources:
        """Where to compute and to keep."""
        from serbench.files.paths import cache_folder
        from serbench.running.execute import resolve_device, resolve_workers
        from serbench.running.harness.resources import Resources

        chosen = resolve_device(self.device)
        return Resources(
            runs=self.out,
            cache=cache_folder(),
            device=chosen,
            workers=resolve_workers(self.jobs, chosen),
            data_dir=self.data_dir,
            allow_incomplete=self.allow_incomplete,
            command=shlex.join(["serbench", *sys.argv[1:]]),
            plugins=plugins.loaded,
        )

    def run(self, plan: RunPlan, registry: Registry) -> Path:
        """The folder of the finished run, with its report in it."""
        from serbench.benchmark.progress import progress_observer
        from serbench.benchmark.tracking import make_trackers
        from serbench.results.report.write import write_report
        from serbench.running.harness.run import run
        from serbench.studies.ablation.output import addition

        resources = self.resources(registry.plugins)
        with closing(make_trackers(registry, self.tracker or ())) as trackers:
            with progress_observer(registry.plugins.hook, trackers) as watch:
                folder = run(plan, resources, watch)
            write_report([folder], folder, addition)
            trackers.finish(folder)
        return folder


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has the options of a run before its own, and is given them as ``asked``."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = get_type_hints(Asked, include_extras=True)
    defaults = {each.name: each.default for each in fields(Asked)}

    @wraps(command)
    def wrapped(**given: object) -> None:
        asked = Asked(**{name: given.pop(name) for name in shared})  # pyright: ignore[reportArgumentType]
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
