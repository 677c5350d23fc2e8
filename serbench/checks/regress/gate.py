"""Compares a run with a golden file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from serbench.api import StoreError
from serbench.checks.finding import Finding, Findings, Stopwatch
from serbench.checks.regress.accuracy import accuracy_findings
from serbench.checks.regress.facts import changed_settings, golden_run, run_tallies
from serbench.checks.regress.golden import Golden, GoldenReference
from serbench.checks.regress.measure import Timed
from serbench.checks.regress.ratios import latency_finding, size_finding
from serbench.checks.regress.reference import Reference
from serbench.checks.regress.tallies import Tally
from serbench.files.digests import shown_digest
from serbench.running.store.finished import StoredRun, load_run


@dataclass(frozen=True, slots=True)
class Timing:
    """Latencies and sizes measured here.

    Attributes:
        reference: the reference model and where it ran.
        found: one element per entry of the golden file.
    """

    reference: GoldenReference
    found: tuple[Timed, ...]


def open_run(folder: Path) -> StoredRun:
    """Open a run that can be compared, or be a reference.

    Raises:
        StoreError: the run has not finished, or its protocol is broken on purpose.
    """
    run = load_run(folder, folder.resolve().name)
    if run.certificate.leaky:
        raise StoreError(
            f"{run.name} was run under {run.certificate.protocol}, which is broken on purpose, "
            "so its scores mean nothing; use a speaker-independent run"
        )
    return run


def check_accuracy(run: StoredRun, golden: Golden, path: Path) -> tuple[Finding, ...]:
    """UA and WA of every method in the golden file.

    Raises:
        StoreError: the run has another corpus, folds, labels or seeds, or lacks a method.
    """
    tallies = run_tallies(run)
    check_same(run, tallies, golden, path)
    clock = Stopwatch()
    found: list[Finding] = []
    for name, method in golden.methods.items():
        margin = golden.allowed.margin if method.margin is None else method.margin
        limit = golden.allowed.limit if method.limit is None else method.limit
        then = golden.tally(name)
        found += clock.laps(accuracy_findings(name, tallies[name], then, margin, limit))
    return tuple(found)


def check_same(run: StoredRun, tallies: Mapping[str, Tally], golden: Golden, path: Path) -> None:
    """
    Raises:
        StoreError: run and golden file cannot be compared; the message has all that differs.
    """
    own, other = golden_run(run), golden.run
    faults = [
        f"{what} ({_short(there)} in the golden file, {_short(here)} in the run)"
        for what, here, there in (
            ("corpus digest", own.corpus_digest, other.corpus_digest),
            ("folds digest", own.folds_digest, other.folds_digest),
            ("labels", ", ".join(own.labels), ", ".join(other.labels)),
        )
        if here != there
    ]
    for name, method in golden.methods.items():
        if name not in tallies:
            faults.append(f"method {name} (the run has {', '.join(tallies)})")
            continue
        if tallies[name].seeds != tuple(method.seeds):
            there, here = (", ".join(map(str, s)) for s in (method.seeds, tallies[name].seeds))
            faults.append(f"seeds of {name} ({there} in the golden file, {here} in the run)")
    if not faults:
        faults = _other_utterances(tallies, golden)
    if faults:
        raise StoreError(
            f"{run.name} cannot be compared with {path}; they differ in {'; '.join(faults)}. "
            f"Repeat the reference run ({other.command}), or make this run the reference with "
            "--update"
        )


def _other_utterances(tallies: Mapping[str, Tally], golden: Golden) -> list[str]:
    """Differences of counts although the digests agree: the golden file was edited."""
    for name in golden.methods:
        now, then = tallies[name], golden.tally(name)
        if now.speakers != then.speakers or not (now.counts == then.counts).all():
            return [f"test utterances of {name} by speaker and class"]
    return []


def _short(text: str) -> str:
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return shown_digest(text) if is_digest else text


def check_reference(golden: Golden, reference: Reference, path: Path) -> None:
    """
    Raises:
        StoreError: the golden file's ratios refer to another model.
    """
    held = golden.reference
    if held and held.sha256 != reference.sha256:
        wanted = (
            "the same model file (--reference MODEL.onnx)"
            if held.kind == "file"
            else "the built-in reference, without --reference"
        )
        raise StoreError(
            f"{path}: its ratios are to a {held.kind} reference, {shown_digest(held.sha256)}, "
            f"but this is a {reference.kind} one, {shown_digest(reference.sha256)}. Measure "
            f"with {wanted}, or measure all ratios again with --update"
        )


def check_timing(golden: Golden, timing: Timing, path: Path) -> tuple[Finding, ...]:
    """Latency ratio of every entry, and the size of each model in each backend once.

    Raises:
        StoreError: an entry has no ratio yet.
    """
    found: list[Finding] = []
    sized: set[tuple[str, str]] = set()
    for timed in timing.found:
        entry = timed.entry
        if entry.ratio is None or entry.size_bytes is None:
            raise StoreError(
                f"{path}: latency of {entry.what} has no ratio or no size_bytes yet; measure it "
                "on a run that you trust: serbench regress RUN --update"
            )
        found.append(replace(_latency(golden, timed, entry.ratio), seconds=timed.seconds))
        if (entry.method, entry.backend) in sized or timed.size_bytes is None:
            continue
        sized.add((entry.method, entry.backend))
        tolerance = golden.allowed.size if entry.allowed_size is None else entry.allowed_size
        check = f"{entry.method} {entry.backend} size"
        found.append(size_finding(check, timed.size_bytes, entry.size_bytes, tolerance))
    return tuple(found)


def _latency(golden: Golden, timed: Timed, ratio: float) -> Finding:
    """The finding on an entry's latency; a backend that runs here but can no longer run this model
    has failed.
    """
    entry = timed.entry
    tolerance = golden.allowed.latency if entry.allowed is None else entry.allowed
    check = f"{entry.what} latency"
    if timed.failure is None:
        return latency_finding(check, timed.ratios, ratio, tolerance)
    message = f"{entry.backend} runs here, but not with this model: {timed.failure}"
    return Finding(check, "failed", message, numbers={"golden": ratio})


def judge(run: StoredRun, golden: Golden, path: Path, timing: Timing | None = None) -> Findings:
    """Compare a run with a golden file.

    Args:
        run: the result of ``open_run``.
        golden: the result of ``read_golden``.
        path: path of the golden file.
        timing: measurements of this machine; None: only accuracy is checked.

    Raises:
        StoreError: run and golden file cannot be compared.
    """
    found = check_accuracy(run, golden, path)
    if timing:
        found += check_timing(golden, timing, path)
    return Findings(
        command="regress",
        subject=f"{run.folder.resolve().name} against {path.name}",
        found=(*found, *_not_judged(run, golden, timing)),
        if_passed="no worse than the golden file allows",
        if_failed="worse than the golden file allows",
        facts={"run": str(run.folder), "golden": str(path), "certificate": run.certificate.digest},
        remarks=tuple(_remarks(run, golden, timing)),
    )


def _not_judged(run: StoredRun, golden: Golden, timing: Timing | None) -> Iterator[Finding]:
    for name in (str(method["name"]) for method in run.plan["methods"]):
        if name not in golden.methods:
            yield Finding(name, "not run", "not in the golden file")
    if golden.latency and not timing:
        yield Finding("latency and size", "not run", "not measured: --no-latency")


def _remarks(run: StoredRun, golden: Golden, timing: Timing | None) -> Iterator[str]:
    """How to read the numbers, and differences that are not checked."""
    yield (
        "UA and WA: differences in percentage points, with 95 % CI paired over the same draws "
        "of speakers."
    )
    if timing:
        yield (
            "Latency: the time of a quick call (10th percentile) divided by that of a "
            "reference model, measured alternately; the median over rounds, each bound at 95 % "
            "confidence."
        )
    for line in changed_settings(run, golden):
        yield f"A setting differs: {line}"
    version, then = run.plan["serbench_version"], golden.run.serbench_version
    if version != then:
        yield f"The reference run was made with serbench {then}, this run with {version}."
    if timing and golden.reference:
        yield from _elsewhere(golden.reference, timing.reference)


def _elsewhere(then: GoldenReference, now: GoldenReference) -> Iterator[str]:
    """Why ratios may differ although no code has changed."""
    if then.cpu != now.cpu:
        yield (
            f"The golden file's ratios were measured on another processor ({then.cpu}; here "
            f"{now.cpu}), so the comparison is only rough."
        )
    changed = [
        f"{name} {version} → {now.packages.get(name, 'none')}"
        for name, version in then.packages.items()
        if now.packages.get(name) != version
    ]
    if changed:
        yield f"Runtimes differ: {', '.join(changed)}."
