"""The golden file as text that explains itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from serbench.checks.regress.golden import Golden, merged
from serbench.files.atomic import write_text
from serbench.files.digests import shown_digest
from serbench.running.registry.toml_text import dump_toml

HEAD = """\
Results of the reference run. `serbench regress RUN --golden {name}` compares a run with them;
`serbench regress RUN --update --golden {name}` replaces them with a run's results.
Commit this file. You may edit [allowed], margin and limit of a method, threads of [reference], and
[[latency]] entries: --update keeps these. It does not keep your own comments.
"""

ALLOWED = """\
How much worse a run may be; 0.01 is one percentage point, or one percent.
margin: UA and WA fail if the whole paired 95 % CI of the drop is greater than this.
limit: UA and WA fail if they drop by more than this, significant or not.
latency: the ratio to the reference model fails if it rises significantly by more than this share.
size: the bytes of a converted model fail if they grow by more than this share.
"""

RUN = "Corpus and folds must be those of the reference run."

COUNTS = """\
Test utterances of each class, by speaker, for one seed; the classes are in the order of run.labels.
"""

METHODS = """\
hits: correctly classified utterances, summed over seeds. They make the comparison paired: the same
speakers are drawn for both runs. A method may have its own margin or limit here.
"""

REFERENCE = """\
Latencies are ratios to a reference model that is measured alternately in the same job. They still
depend on the type of processor: allow more if your runners are of several types.
"""

LATENCY = """\
Of the model of outer fold 1. Add an entry with method, backend and audio_s, and --update measures
it. `allowed` and `allowed_size` of an entry replace latency and size of [allowed].
"""

SETTINGS = "For information: settings that differ are listed, but not checked."


def golden_text(golden: Golden, name: str) -> str:
    """The file's content; ``name`` is its future name."""
    parts = [
        _comment(HEAD.format(name=name)),
        f"schema_version = {golden.schema_version}\n",
        _section(RUN, {"run": golden.run.model_dump()}),
        _section(ALLOWED, {"allowed": golden.allowed.model_dump()}),
        _section(COUNTS, {"counts": golden.counts}),
        *_methods(golden),
    ]
    if golden.reference:
        parts.append(_section(REFERENCE, {"reference": golden.reference.model_dump()}))
    for number, entry in enumerate(golden.latency):
        table = dump_toml({"latency": entry.model_dump()}).replace("[latency]", "[[latency]]", 1)
        parts.append(_comment(LATENCY if number == 0 else "") + table)
    parts.append(_section(SETTINGS, {"settings": golden.settings}))
    for method, own in golden.methods.items():
        if own.settings:
            parts.append(dump_toml({"methods": {method: {"settings": own.settings}}}))
    return "\n".join(parts)


def _methods(golden: Golden) -> list[str]:
    """Each method without its settings, which are at the end of the file."""
    return [
        _section(
            METHODS if number == 0 else "",
            {"methods": {name: method.model_dump(exclude={"settings"})}},
        )
        for number, (name, method) in enumerate(golden.methods.items())
    ]


def _section(comment: str, tables: Mapping[str, object]) -> str:
    return _comment(comment) + dump_toml(tables)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.strip().splitlines())


def write_golden(golden: Golden, path: Path) -> None:
    """Write the file, completely or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    write_text(path, golden_text(golden, path.name))


def differences(old: Golden | None, new: Golden) -> list[tuple[str, str, str]]:
    """Changes of an update: field, old value, new value. For a first file, only results."""
    before = _results(old) | _settings(old) if old else {}
    after = _results(new) | (_settings(new) if old else {})
    keys = dict.fromkeys([*before, *after])
    return [
        (key, before.get(key, "–"), after.get(key, "–"))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _results(golden: Golden) -> dict[str, str]:
    """The run and its results, as text."""
    run = golden.run
    facts = {
        "corpus": f"{run.dataset} {shown_digest(run.corpus_digest)}",
        "folds": shown_digest(run.folds_digest),
        "classes": ", ".join(run.labels),
        "serbench": run.serbench_version,
        "command": run.command,
    }
    for name, method in golden.methods.items():
        facts[f"{name} seeds"] = ", ".join(map(str, method.seeds))
        facts[f"{name} UA"] = f"{100 * method.ua:.2f} %"
        facts[f"{name} WA"] = f"{100 * method.wa:.2f} %"
    if golden.reference:
        facts["reference"] = f"{golden.reference.kind} {shown_digest(golden.reference.sha256)}"
        facts["reference CPU"] = golden.reference.cpu
    for entry in golden.latency:
        if entry.ratio is not None:
            facts[f"{entry.what}, ratio"] = f"{entry.ratio:.3f}"
        if entry.size_bytes is not None:
            facts[f"{entry.what}, bytes"] = f"{entry.size_bytes:,}"
    return facts


def _settings(golden: Golden) -> dict[str, str]:
    """Settings as text; a setting that differs between methods is listed for each of them."""
    methods = {name: method.settings for name, method in golden.methods.items() if method.settings}
    return {
        f"{name} {key}": json.dumps(value, ensure_ascii=False)
        for name, table in merged(golden.settings, methods or {"all": {}}).items()
        for key, value in table.items()
    }
