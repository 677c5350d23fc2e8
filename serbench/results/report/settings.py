"""A run's settings, environment and timing as rows to print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from serbench.results.report.marks import LEAKS
from serbench.results.report.results import MethodInfo, Results
from serbench.results.table.columns import text_table
from serbench.results.table.formats import NOTHING, percent
from serbench.results.table.table import Table
from serbench.running.store.finished import StoredRun, leaves

ABOUT = (
    "student",
    "student_params",
    "loss",
    "loss_params",
    "front_end",
    "front_end_params",
    "teachers",
    "inherits",
    "pretrained",
    "settings",
)
"""Entries of a planned method that say how it was trained."""


def flatten(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted paths of a nested mapping with their values as text."""
    for place, leaf in leaves(value, path):
        if leaf != {}:
            items = leaf if isinstance(leaf, (list, tuple)) else (leaf,)
            yield (
                place,
                ", ".join(each if isinstance(each, str) else json.dumps(each) for each in items),
            )


def settings_table(results: Results) -> Table:
    """Every setting of every trained method; those that all share come last, once."""
    trained = [info for info in results.methods.values() if info.plan]
    columns = {info.name: _settings(info) for info in trained}
    paths = list(dict.fromkeys(path for own in columns.values() for path in own))
    differing, common = [], []
    for path in paths:
        values = [own.get(path, "") or NOTHING for own in columns.values()]
        if len(set(values)) > 1:
            differing.append((path, *values))
        else:
            common.append((path, values[0], *("″" for _ in values[1:])))
    headed = len(trained) > 1
    groups = (("Differ between methods", differing), ("Same for all methods", common))
    return text_table(
        "settings",
        "Settings of each method, resolved",
        ("Setting", *columns),
        dict(groups) if headed else common,
        records=[
            {"setting": path} | {name: own.get(path, "") for name, own in columns.items()}
            for path in paths
        ],
    )


def chosen_table(results: Results) -> Table | None:
    """The choices of the inner search for each outer fold; None if nothing was searched."""
    refits = [
        (info.name, fit)
        for info in results.methods.values()
        for run in results.runs
        if info.plan and info.folder == run.folder
        for fit in run.fits
        if fit["method"] == info.plan["name"] and fit["inner"] is None and fit.get("values")
    ]
    if not refits:
        return None
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for name, fit in refits:
        words = ", ".join(f"{path} {value}" for path, value in flatten(fit["values"]))
        rows.setdefault((name, str(fit["seed"])), {})[int(fit["outer"])] = words
    folds = tuple(results.comparison.fold_counts)
    return text_table(
        "chosen",
        "Chosen by the inner search, for each outer fold",
        ("Method", "Seed", *(f"Fold {outer}" for outer in folds)),
        [(*key, *(own.get(outer, NOTHING) for outer in folds)) for key, own in rows.items()],
        records=[
            {"method": name, **{key: fit[key] for key in ("seed", "outer", "epochs")}}
            | dict(flatten(fit["values"]))
            for name, fit in refits
        ],
    )


def _settings(info: MethodInfo) -> dict[str, str]:
    found = {entry: info.plan[entry] for entry in ABOUT if entry in info.plan}
    nested = found.pop("settings", {})
    if not found.get("pretrained"):  # these settings had no effect
        nested = {name: values for name, values in nested.items() if name != "pretrain"}
    return dict(flatten(found)) | dict(flatten(nested))


def protocol_line(results: Results) -> str:
    """Corpus, profile and protocol in one line."""
    compared, run = results.comparison, results.runs[0]
    dataset = results.dataset
    unit = run.certificate.unit
    inner = sum(each.inner_fits for each in results.runs)
    search = f"inner search over {inner} fits" if inner else "no inner search"
    seeds = max(each.seeds for each in results.runs)
    profiles = ", ".join(dict.fromkeys(str(each.plan["profile"]) for each in results.runs))
    count = len(compared.fold_counts)
    folds = f"{count} outer folds by {unit}" if count > 1 else "a single test fold"
    folds += f", no {unit} on both sides"
    if results.protocol == "leaky-random":
        folds = f"{len(compared.fold_counts)} random outer folds"
    if results.leaky:
        folds += f" · protocol {results.protocol}: {LEAKS[results.protocol]}"
    return (
        f"{dataset.get('title', dataset['name'])}: {results.size}, "
        f"{len(compared.speaker_counts)} speakers, {len(compared.labels)} classes · "
        f"profile {profiles} · {folds} · {search} · {seeds} seed{'s' if seeds > 1 else ''}"
    )


def duration(seconds: float) -> str:
    """A duration in words, for instance ``1 h 02 min``, ``3 min 05 s``, ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        return "{} min {:02d} s".format(*divmod(round(seconds), 60))
    return "{} h {:02d} min".format(*divmod(round(seconds / 60), 60))


def timing_lines(results: Results, run: StoredRun) -> list[tuple[str, str]]:
    """Times of a run: first what this run itself needed, then what each method's fits needed."""
    timing = run.timing
    titles = {
        "wall_s": "Wall time",
        "load_s": "Corpus and teacher embeddings",
        "teacher_s": "Teacher",
        "pretrain_s": "Pretraining without labels",
        "targets_s": "Teacher heads and soft targets",
        "fits_wall_s": "Fits, wall time",
        "score_s": "Scoring",
        "fit_s": "Fits, summed over workers",
    }
    lines = [(title, duration(timing[key])) for key, title in titles.items() if key in timing]
    lines += [
        (title, str(timing[key]))
        for key, title in {
            "fits_run": "Fits run",
            "fits_cached": "Fits taken from the cache",
            "workers": "Workers",
        }.items()
        if key in timing
    ]
    if timing.get("fit_s") and "step_s" in timing:
        share = percent(timing["step_s"] / timing["fit_s"])
        lines.append(("Share of the fits in forward, backward and optimiser", f"{share} %"))
    return lines + [
        (f"All fits of {info.name}, cached ones too, summed", duration(info.fit_s))
        for info in results.methods.values()
        if info.fit_s is not None and info.folder == run.folder
    ]


def plan_lines(run: StoredRun) -> list[tuple[str, str]]:
    """Entries of the plan that no other table shows, as dotted names and values."""
    shown = {
        "digest",
        "serbench_version",
        "command",
        "methods",
        "outer",
        "folds_digest",
        "cards",
        "inherited",
        "heard",
    }
    rest = {key: value for key, value in run.plan.items() if key not in shown}
    return [("plan digest", str(run.plan["digest"])), *flatten(rest)]


def environment_lines(run: StoredRun) -> list[tuple[str, str]]:
    """The environment as titles and values."""
    return [(path.replace("_", " "), value) for path, value in _environment(run.environment)]


def _environment(environment: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in environment.items():
        if isinstance(value, Mapping):
            yield key, ", ".join(f"{name} {item}" for name, item in value.items())
        elif isinstance(value, list):
            parts = (
                " ".join(map(str, item.values())) if isinstance(item, Mapping) else str(item)
                for item in value
            )
            yield key, ", ".join(parts) or "none"
        else:
            yield key, str(value)
