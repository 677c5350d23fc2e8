"""The commands of studies: their options are the fields of a study's parameters."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from serbench.cli import complete
from serbench.cli.made import MadeCommand, made_command, parameter
from serbench.cli.options import (
    RUNS,
    Address,
    DataDir,
    Device,
    Executor,
    Jobs,
    RegistryFile,
    RunArgument,
    RunsFolder,
)
from serbench.studies.study import Option, Study

RunArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN", autocompletion=complete.runs, help="Run folders, or names in --runs."
    ),
]

COMPLETED = {"method": complete.methods, "backends": complete.backends}
"""Shell completion of options, by the names of their fields."""


def study_command(study: Study[Any, Any]) -> MadeCommand:
    """The command of a study."""
    return made_command(study.help, lambda **given: _run(study, given), _parameters(study))


def _run(study: Study[Any, Any], given: dict[str, Any]) -> None:
    from serbench.benchmark.progress import progress_observer
    from serbench.cli.console import stdout
    from serbench.files.paths import inside
    from serbench.running.store.find import find_run
    from serbench.studies.conduct import conduct
    from serbench.studies.opened import Opened

    params = study.params(**_chosen(study, given))
    asked = given["run"] if study.several else [given["run"]]
    folders = tuple(dict.fromkeys(find_run(each, given["runs"]) for each in asked))
    opened = Opened(
        folders,
        overlay=given.get("registry"),
        data_dir=given.get("data_dir"),
        device_name=given.get("device", "cpu"),
        jobs=given.get("jobs"),
        executor_name=given.get("executor", "local"),
        address=given.get("address", ""),
    )
    own = None if study.several else inside(folders[0], study.name, what="folder")
    output = given["output"] or own
    conduct(study, params, opened, output, stdout(), progress_observer)


def _chosen(study: Study[Any, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Values of the fields that were given; a repeatable option that was not given is left out."""
    chosen = {}
    for each in dataclasses.fields(study.params):
        value = given[each.name]
        if isinstance(value, list):
            value = tuple(value)
        if value is not None and value != ():
            chosen[each.name] = value
    return chosen


def _parameters(study: Study[Any, Any]) -> list[inspect.Parameter]:
    """The parameters of the command in the form that typer reads."""
    place = "Default: none." if study.several else f"Default: RUN/{study.name}."
    output = typer.Option("--output", "-o", metavar="FOLDER", help=f"Folder to write to. {place}")
    made = [
        parameter("run", RunArguments) if study.several else parameter("run", RunArgument, None),
        *_options(study.params),
        parameter("output", Annotated[Path | None, output], None),
    ]
    if study.replays:
        made.append(parameter("data_dir", DataDir, None))
    if study.steers and study.replays:
        made += [parameter("device", Device, "auto"), parameter("jobs", Jobs, None)]
        made += [parameter("executor", Executor, "local"), parameter("address", Address, "")]
    made.append(parameter("runs", RunsFolder, RUNS))
    if study.replays:
        made.append(parameter("registry", RegistryFile, None))
    return made


def _options(params: type) -> list[inspect.Parameter]:
    """One parameter for each field."""
    hints = get_type_hints(params)
    made = []
    for each in dataclasses.fields(params):
        stated: Option = each.metadata["option"]
        kind, default = hints[each.name], each.default
        if get_origin(kind) is tuple:
            kind, default = list[get_args(kind)[0]] | None, None
        long = "--" + each.name.strip("_").replace("_", "-")
        names = (long, stated.flag) if stated.flag else (long,)
        option = typer.Option(
            *names,
            help=stated.help,
            min=stated.least,
            metavar=stated.metavar or _metavar(each.name, hints[each.name]),
            autocompletion=COMPLETED.get(each.name),
        )
        made.append(parameter(each.name, Annotated[kind, option], default))
    return made


def _metavar(name: str, kind: Any) -> str | None:
    """``N``, ``FILE`` or the option's own name; a flag has none."""
    kinds = {kind, *get_args(kind)}
    if bool in kinds:
        return None
    if int in kinds or float in kinds:
        return "N"
    return "FILE" if Path in kinds else name.strip("_").upper()
