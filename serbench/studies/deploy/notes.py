"""What a reader must know to read the deployment tables right."""

from __future__ import annotations

import numpy as np

from serbench.results.compare.intervals import REPEATS
from serbench.results.report.notes import difference_note, interval_note
from serbench.studies.deploy.measure import Deployment
from serbench.studies.deploy.results import DeployResults, Machine

THIS_MACHINE = (
    "Latencies, throughput and memory are of the machine that is described here and of no other; "
    "ratios travel better than times."
)


def deployment_notes(found: Deployment) -> tuple[str, ...]:
    """How the first table's columns are measured, and on what machine."""
    results, ours = found.results, found.arithmetic
    effort = results.settings.effort
    return (
        f"Ratio: of median latency with {effort.window_s:g} s of audio at batch 1 to that of "
        f"{results.reference}, fp32; median over {rounds_text(results)}, interleaved "
        "[lowest, highest]. FPS: such windows per second at batch 1, median over "
        "rounds.",
        f"GFLOPs and GMACs: of one student on {effort.window_s:g} s, counted on its PyTorch "
        "modules, matrix products and convolutions only, a multiply-accumulate being two FLOPs; "
        f"the same for every backend. The front end takes {ours.front_end_flops / 1e9:.2g} GFLOPs "
        "more. M params, non-zero: millions. MB: 10⁶ bytes of converted files.",
        f"Model: {results.run.model} of {results.run.name}.",
        *(machine_note(each) for each in (results, *found.imported)),
        THIS_MACHINE,
    )


def machine_note(results: DeployResults) -> str:
    """A machine in one line."""
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
    """How many rounds."""
    count = results.settings.rounds
    return "one round" if count == 1 else f"{count} rounds"


def threads_text(results: DeployResults) -> str:
    """How many threads a process had."""
    count = results.settings.threads
    return "one thread" if count == 1 else f"{count} threads"


def _governor(machine: Machine) -> str:
    return f"governor {machine.governor}" if machine.governor else "governor not told"


def _load(machine: Machine) -> str:
    """Over one minute."""
    if not (machine.load_start and machine.load_end):
        return "load average not told"
    start, end = machine.load_start[0], machine.load_end[0]
    return f"load average {start:.1f} at the start, {end:.1f} at the end"


def _pinned(machine: Machine) -> str:
    return "processes pinned to cores" if machine.pinned else "processes not pinned to cores"


def accuracy_notes(found: Deployment) -> tuple[str, ...]:
    """How scores, intervals and differences came about."""
    compared = sum(row.accuracy is not None for row in found.results.rows) - 1
    return (
        f"Every outer test utterance ({found.utterances}, {found.folds} folds, seed "
        f"{found.results.run.seed}) is scored by its own fold's student through the backend.",
        f"{interval_note(REPEATS, found.speakers)} "
        f"{difference_note('UA', compared, found.speakers)} “same "
        "classes”: no utterance is given another class. Changed: utterances that are.",
        f"Posterior Δ: the greatest difference to {found.results.reference}. The reference "
        f"gave the posteriors that the run has kept (greatest difference {found.kept_gap:.1g}).",
    )


def latency_notes(found: Deployment) -> tuple[str, ...]:
    """How times were taken."""
    elsewhere = "; on other devices, synthetic sound" if found.imported else ""
    return (
        f"Every backend once in each of {rounds_text(found.results)}, in rotated order, each time "
        "in a fresh process, after a warm-up; percentiles over all calls of all rounds. Audio: "
        f"test utterances one after another, cut to length{elsewhere}.",
    )


def footprint_notes(found: Deployment) -> tuple[str, ...]:
    """How start and memory were taken."""
    idle = [
        round_.idle_bytes / 1e6
        for row in found.results.rows
        for round_ in row.rounds
        if round_.idle_bytes is not None
    ]
    process = f" ({np.median(idle):.0f} MB)" if idle else ""
    return (
        "Best FPS: at the batch size in brackets. Real-time: factor, median latency over the "
        "audio's length. Start: loading the runtime and the model, and the first posterior; cold: "
        "from the start of the process, so with Python, NumPy and serbench's contract. Medians "
        "over rounds.",
        "Peak: of the whole process after all batch-1 calls; idle: the same process before it "
        f"loaded the runtime{process}.",
        *_scale(found.results),
    )


def _scale(results: DeployResults) -> tuple[str, ...]:
    """What imports alone take."""
    parts = []
    for module, found in results.imports.items():
        told = [each for each in found.peak_bytes if each is not None]
        memory = f" and {np.median(told) / 1e6:.0f} MB" if told else ""
        parts.append(f"{module} {np.median(found.seconds):.2f} s{memory}")
    if not parts:
        return ()
    return (
        f"For scale, a process that imports one module and does nothing: {', '.join(parts)}. A "
        "backend that has PyTorch run the student's own code loads serbench's modules with it.",
    )
