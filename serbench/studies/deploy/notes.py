"""Notes that explain the deployment tables to their readers."""

from __future__ import annotations

import numpy as np

from serbench.results.compare.intervals import REPEATS
from serbench.results.report.notes import difference_note, interval_note
from serbench.studies.deploy.measure import Deployment
from serbench.studies.deploy.results import DeployResults, Machine

THIS_MACHINE = (
    "Latency, throughput and memory are valid only for the machine described here; ratios transfer "
    "better than times."
)


def deployment_notes(found: Deployment) -> tuple[str, ...]:
    """How the first table's columns are measured, and on what machine."""
    results, ours = found.results, found.arithmetic
    effort = results.settings.effort
    return (
        f"Ratio: median latency with {effort.window_s:g} s of audio at batch 1, divided by that "
        f"of {results.reference}, fp32; median over {rounds_text(results)}, interleaved [lowest, "
        "highest]. FPS: such windows per second at batch 1, median over rounds.",
        f"GFLOPs and GMACs: one student on {effort.window_s:g} s of audio, counted on its PyTorch "
        "modules (matrix products and convolutions only; a multiply-accumulate is two FLOPs), so "
        f"the same for every backend. The front end needs {ours.front_end_flops / 1e9:.2g} GFLOPs "
        "more. M params, non-zero: in millions. MB: 10⁶ bytes of converted files.",
        f"Model: {results.run.model} of {results.run.name}.",
        *(machine_note(each) for each in (results, *found.imported)),
        THIS_MACHINE,
    )


def machine_note(results: DeployResults) -> str:
    """A machine, described in one line."""
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    memory = f", {machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else ""
    cpu = "" if machine.cpu == machine.name else f" {machine.cpu},"
    return (
        f"{machine.name}:{cpu} {machine.usable_cores} of {machine.cores} cores{memory}; "
        f"{machine.system}; {machine.python}; {packages}; {_governor(machine)}; {_load(machine)}; "
        f"{_pinned(machine)}; {threads_text(results)} each; {machine.date}."
    )


def rounds_text(results: DeployResults) -> str:
    """The number of rounds, in words."""
    count = results.settings.rounds
    return "one round" if count == 1 else f"{count} rounds"


def threads_text(results: DeployResults) -> str:
    """The number of threads of a process, in words."""
    count = results.settings.threads
    return "one thread" if count == 1 else f"{count} threads"


def _governor(machine: Machine) -> str:
    return f"governor {machine.governor}" if machine.governor else "governor unknown"


def _load(machine: Machine) -> str:
    """The load average over one minute."""
    if not (machine.load_start and machine.load_end):
        return "load average unknown"
    start, end = machine.load_start[0], machine.load_end[0]
    return f"load average {start:.1f} at the start, {end:.1f} at the end"


def _pinned(machine: Machine) -> str:
    return "processes pinned to cores" if machine.pinned else "processes not pinned to cores"


def accuracy_notes(found: Deployment) -> tuple[str, ...]:
    """How scores, intervals and differences were computed."""
    compared = sum(row.accuracy is not None for row in found.results.rows) - 1
    return (
        f"Every outer test utterance ({found.utterances}, {found.folds} folds, seed "
        f"{found.results.run.seed}) is scored through the backend by the student of its own fold.",
        f"{interval_note(REPEATS, found.speakers)} "
        f"{difference_note('UA', compared, found.speakers)} “same classes”: no utterance gets "
        "another class. Changed: utterances that get another class.",
        f"Posterior Δ: the greatest difference to {found.results.reference}, which reproduces the "
        f"posteriors saved in the run (greatest difference {found.kept_gap:.1g}).",
    )


def latency_notes(found: Deployment) -> tuple[str, ...]:
    """How times were measured."""
    elsewhere = "; on other devices, synthetic sound" if found.imported else ""
    return (
        f"Every backend runs once in each of {rounds_text(found.results)}, in rotated order, each "
        "time in a fresh process and after a warm-up. Percentiles are over all calls of all "
        f"rounds. Audio: test utterances one after another, cut to length{elsewhere}.",
    )


def footprint_notes(found: Deployment) -> tuple[str, ...]:
    """How start and memory were measured."""
    idle = [
        round_.idle_bytes / 1e6
        for row in found.results.rows
        for round_ in row.rounds
        if round_.idle_bytes is not None
    ]
    process = f" ({np.median(idle):.0f} MB)" if idle else ""
    return (
        "Best FPS: with its batch size in brackets. Real-time: the real-time factor, median "
        "latency divided by the length of the audio. Start: loading the runtime and the model, "
        "and the first posterior. Cold: from the start of the process, so with Python, NumPy and "
        "serbench's contract. Medians over rounds.",
        "Peak: memory of the whole process after all batch-1 calls. Idle: the same process "
        f"before it loads the runtime{process}.",
        *_scale(found.results),
    )


def _scale(results: DeployResults) -> tuple[str, ...]:
    """Time and memory that imports alone take, for comparison."""
    parts = []
    for module, found in results.imports.items():
        told = [each for each in found.peak_bytes if each is not None]
        memory = f" and {np.median(told) / 1e6:.0f} MB" if told else ""
        parts.append(f"{module} {np.median(found.seconds):.2f} s{memory}")
    if not parts:
        return ()
    return (
        f"For scale, a process that only imports one module: {', '.join(parts)}. A backend that "
        "lets PyTorch run the student's own code also loads serbench's modules.",
    )
