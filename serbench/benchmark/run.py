"""``serbench.run``: methods on a dataset, through the guarded protocol."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from serbench.api import RegistryError
from serbench.benchmark.arguments import (
    Names,
    PathLike,
    Settings,
    command_line,
    evaluated,
    place,
    protocol_sets,
    seconds_of,
    setting_texts,
    several,
)
from serbench.benchmark.repeat import Repeat, data_folders
from serbench.data.corpus.subset import Subset
from serbench.files.paths import cache_folder
from serbench.running.plan.ablate import plan_ablation
from serbench.running.plan.records import RunPlan
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plan.suite import plan_suite
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench.running.store.find import RUNS
from serbench.settings import PROPER

if TYPE_CHECKING:
    from serbench.benchmark.read import Run
    from serbench.running.executors.choose import ExecutorName
    from serbench.running.harness.resources import Resources

LISTS = ("train", "teacher", "only", "tracker")
"""Arguments that take one name or several."""

PATHS = ("data_dir", "pretrain_audio", "out", "registry")

STOPPED = "serbench: stopped. Make the same call again to continue; finished fits are kept."


def run(
    methods: Names = (),
    *,
    dataset: str | None = None,
    train: Names = (),
    test: str | None = None,
    labels: str = "",
    limit: int | None = None,
    fraction: float | None = None,
    data_dir: PathLike | None = None,
    teacher: PathLike | Sequence[PathLike] = (),
    pretrain_audio: PathLike | None = None,
    profile: str = "standard",
    protocol: str = PROPER,
    settings: Settings = (),
    suite: str | None = None,
    ablation: str | None = None,
    only: Names = (),
    skip_missing: bool = False,
    canary: bool = False,
    allow_pretraining_overlap: bool = False,
    allow_incomplete: bool = False,
    tracker: Names = (),
    device: str = "auto",
    jobs: int | None = None,
    executor: ExecutorName = "local",
    address: str = "",
    stop_after: float | str | None = None,
    out: PathLike = RUNS,
    registry: PathLike | None = None,
    progress: bool | None = None,
) -> Run:
    """Run one or more methods on a dataset and compare them, as ``serbench run`` does.

    Every argument is the option of the same name. The same arguments give the same run, in the same
    folder, from Python and from the command line. Finished fits are cached: to continue an
    interrupted run, make the same call again.

    Args:
        methods: names of the registry, ``STUDENT+LOSS``, or ``ABLATION:ROW``. The others are
            compared with the first. See ``serbench.methods()``.
        dataset: a dataset or corpus to cross-validate on. See ``serbench.datasets()``.
        train: datasets to train on, instead of ``dataset``.
        test: the dataset to test on; with ``train``.
        labels: a label map, such as ``common-4``. Default: the corpus's own labels.
        limit: use at most this many utterances of each corpus, chosen by speaker and class. Every
            table says so.
        fraction: use this share of each corpus, such as 0.1.
        data_dir: folder with a local copy of the corpus; with ``train``, a folder with one folder
            per corpus. Default: the corpus is downloaded, if that is allowed.
        teacher: names of the registry, or folders with a speech encoder.
        pretrain_audio: folder of unlabelled speech to pretrain students on.
        profile: how much is trained and searched: ``quick``, ``standard``, ``paper``, ``demo``.
        protocol: ``speaker-independent``; the others leak on purpose; runs are marked.
        settings: values by their path: ``{"training.epochs": 20, "protocol.seeds": 3}``.
        suite: a suite of the registry, instead of ``methods`` or in addition to them.
        ablation: a method whose parts are removed one by one, instead of ``methods``; as ``serbench
            ablate``.
        only: run only these methods of the suite, or rows of the ablation.
        skip_missing: leave out methods of the suite that this machine cannot run.
        canary: first train on permuted labels, to find leaks.
        allow_pretraining_overlap: accept a teacher that was trained on this corpus; every table
            says so.
        allow_incomplete: accept a corpus that lacks files; every table says so.
        tracker: ``tensorboard``, ``mlflow``, or your own; ``none``: not even ``events.jsonl``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, …
        jobs: fits to run in parallel on this machine. Default: one per core, or on a GPU as many as
            have room in its memory.
        executor: ``local``, or ``dask`` or ``ray``: the workers of a cluster compute the fits.
        address: of the cluster. Ray without an address starts its workers on this machine.
        stop_after: time that the run may take, in seconds or such as ``"8h"``. Then it ends with
            ``OutOfTimeError``; the same call continues it.
        out: folder that new run folders are created in.
        registry: a file that extends the registry. Default: ``./serbench.toml``, if it exists.
        progress: whether progress is shown. Default: in a notebook and at a terminal.

    Returns:
        The finished run, with its report in its folder.

    Raises:
        RegistryError: an unknown name (the message suggests similar ones), or a setting that does
            not exist or does not fit.
        CorpusError: the corpus is not available, or differs from its card.
        TeacherError: a teacher's weights are not available.
        LeakageError: the guard found a leak; nothing is reported.
        OutOfTimeError: the time of ``stop_after`` is over.
        SerbenchError: any other problem with input or machine; all of the above are subclasses.

    Examples:
        >>> run = serbench.run(["akd", "transformer"], dataset="demo", profile="demo")
        ... # doctest: +SKIP
        >>> run.scores()[["method", "ua", "ua_low", "ua_high"]]  # doctest: +SKIP
    """
    folder, _ = finished_run(locals())
    from serbench.benchmark.read import Run

    return Run(folder)


def arguments_of(methods: Names = (), **given: Any) -> dict[str, Any]:
    """All arguments of ``run`` by their names, with the defaults of those that are not given."""
    bound = inspect.signature(run).bind(methods, **given)
    bound.apply_defaults()
    return bound.arguments


def finished_run(given: Mapping[str, Any]) -> tuple[Path, bool]:
    """Compute a run. Return the run's folder, and whether nothing had to be computed.

    If the same run is already finished and nothing that it was computed from has changed, it is
    neither computed nor reported again.

    Args:
        given: all arguments of ``run``, by their names.

    Raises:
        SerbenchError: as ``run``.
    """
    started = time.time()
    plan, known = _planned(given)
    repeat = Repeat(plan, known, given)
    if (folder := repeat.folder()) is not None:
        return folder, True
    resources = _resources(plan, known, given, started)
    folder = _finished(plan, known, resources, several(given["tracker"]), given["progress"])
    repeat.note(folder, data_folders(plan, given))
    return folder, False


def ready_run(given: Mapping[str, Any]) -> tuple[RunPlan, Registry, Resources]:
    """The plan, the registry and the resources of a run.

    Args:
        given: all arguments of ``run``, by their names.

    Raises:
        SerbenchError: as ``run``, before anything is read.
    """
    plan, known = _planned(given)
    return plan, known, _resources(plan, known, given, time.time())


def _planned(given: Mapping[str, Any]) -> tuple[RunPlan, Registry]:
    asked = SimpleNamespace(**given)
    known = load_registry(load_plugins(), place(asked.registry), strict=False)
    wanted = Request(
        dataset=evaluated(asked.dataset, several(asked.train), asked.test),
        methods=several(asked.methods),
        profile=asked.profile,
        teachers=several(asked.teacher),
        sets=(
            *protocol_sets(asked.protocol, asked.canary, asked.allow_pretraining_overlap),
            *setting_texts(asked.settings),
        ),
        pretrain_audio=place(asked.pretrain_audio),
        train=several(asked.train),
        labels=asked.labels,
        subset=_subset(asked.limit, asked.fraction),
    )
    plan = _plan(
        known, wanted, asked.suite, asked.ablation, several(asked.only), asked.skip_missing
    )
    return plan, known


def _resources(
    plan: RunPlan, known: Registry, given: Mapping[str, Any], started: float
) -> Resources:
    """Workers, devices and folders of a run; ``started`` is the time when the command began."""
    asked = SimpleNamespace(**given)
    # torch reads this when it is loaded. Idle threads then sleep; otherwise they would keep cores
    # busy that other processes need, and take several times as long on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Imported late, here and below, so that mistakes are reported before torch and pandas load.
    from serbench.running.executors.choose import make_executor
    from serbench.running.executors.local import ENCODER_FIT_BYTES, FIT_BYTES
    from serbench.running.harness.resources import Resources

    workers = make_executor(
        asked.executor, asked.address, asked.jobs, asked.device, cache=cache_folder(),
        threads=plan.threads, fit_bytes=ENCODER_FIT_BYTES if plan.heirs else FIT_BYTES,
    )  # fmt: skip
    if asked.stop_after is not None:
        workers.until = started + seconds_of(asked.stop_after)
    return Resources(
        runs=place(asked.out) or RUNS,
        cache=cache_folder(),
        device=workers.device(asked.device),
        executor=workers,
        data_dir=place(asked.data_dir),
        allow_incomplete=asked.allow_incomplete,
        command=_command(given),
        plugins=known.plugins.loaded,
    )


def _subset(limit: int | None, fraction: float | None) -> Subset | None:
    return None if limit is None and fraction is None else Subset(limit, fraction)


def _command(given: Mapping[str, Any]) -> str:
    """The command that does the same as a call of ``run``, without default values."""
    defaults = {each.name: each.default for each in inspect.signature(run).parameters.values()}
    changed = {name: value for name, value in given.items() if value != defaults[name]}
    for name in ("progress", "stop_after"):  # they do not change the result
        changed.pop(name, None)
    methods, ablation = several(changed.pop("methods", ())), changed.pop("ablation", None)
    if "settings" in changed:
        changed["set"] = setting_texts(changed.pop("settings"))
    lists = {name: several(changed[name]) for name in LISTS if name in changed}
    paths = {name: place(changed[name]) for name in PATHS if name in changed}
    command = ("ablate", (ablation,)) if ablation else ("run", methods)
    return command_line(*command, changed | lists | paths)


def _finished(
    plan: RunPlan,
    registry: Registry,
    resources: Resources,
    trackers: Sequence[str],
    progress: bool | None,
) -> Path:
    """Run a plan, write its report, and return the run's folder."""
    from serbench.benchmark.progress import progress_observer
    from serbench.benchmark.tracking import make_trackers
    from serbench.results.report.write import write_report
    from serbench.running.harness.run import run as run_plan
    from serbench.studies.ablation.output import addition

    with closing(make_trackers(registry, trackers)) as told:
        try:
            with progress_observer(registry.plugins.hook, told, shown=progress) as watch:
                for name, why in (plan.suite.left_out if plan.suite else {}).items():
                    watch.announce(f"Left out: {name}: {why}")
                folder = run_plan(plan, resources, watch)
        except KeyboardInterrupt as stop:
            stop.add_note(STOPPED)
            raise
        write_report([folder], folder, addition)
        told.finish(folder)
    return folder


def _plan(
    registry: Registry,
    asked: Request,
    suite: str | None,
    ablation: str | None,
    only: Sequence[str],
    skip_missing: bool,
) -> RunPlan:
    """
    Raises:
        RegistryError: as the planners; also nothing to run, or arguments that exclude each other.
    """
    if ablation is not None:
        if suite is not None or asked.methods:
            raise RegistryError(
                "an ablation has its own methods: leave out other methods and --suite"
            )
        return plan_ablation(registry, ablation, asked, only)
    if suite is not None:
        return plan_suite(registry, suite, asked, only, skip_missing=skip_missing)
    if only or skip_missing:
        option = "--only" if only else "--skip-missing"
        raise RegistryError(f"{option} selects methods of a suite: give --suite NAME too")
    if not asked.methods:
        raise RegistryError(
            "name at least one method, or --suite NAME. `serbench list methods` and `serbench "
            "list suites` show them"
        )
    return plan_run(registry, asked)
