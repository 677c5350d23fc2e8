"""Measure the models beside this file on this device, and write results.json.

Needs Python 3.8 or newer, NumPy and ONNX Runtime; nothing is sent anywhere. Every model is measured
in processes of its own, in rounds, so that a device that warms up or slows down does so for all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from instruments import (
    EFFORT,
    SAMPLE_RATE_HZ,
    answer_stream,
    cut,
    ended,
    free_cores,
    load_average,
    machine,
    measure,
    pin,
    resident_bytes,
    thread_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Waveforms = NDArray[np.float32]
    Predict = Callable[[Waveforms], NDArray[np.float32]]
    Json = dict[str, Any]

SCHEMA_VERSION = 1
KIND = "serbench deploy"
CPU = "CPUExecutionProvider"

HUNG_S = 900.0
"""Seconds after which a process that has given no answer is ended."""


def open_model(path: Path, provider: str, threads: int, *, cautious: bool) -> Predict:
    """Open a model file as a function from waveforms to posteriors.

    Raises:
        RuntimeError: ONNX Runtime would run it on another provider than the one asked for.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if cautious and provider == CPU:  # half precision crashes there at the default level
        levels = ort.GraphOptimizationLevel
        careful = getattr(levels, "ORT_ENABLE_LAYOUT", levels.ORT_ENABLE_EXTENDED)
        options.graph_optimization_level = careful
    there = ort.get_available_providers()
    if provider not in there:
        raise RuntimeError(f"{provider} is not in this ONNX Runtime; it has {', '.join(there)}")
    session = ort.InferenceSession(str(path), options, providers=[provider])
    taken = session.get_providers()[0]
    if taken != provider:
        raise RuntimeError(f"ONNX Runtime fell back from {provider} to {taken}")
    return lambda waveforms: np.asarray(session.run(None, {"waveform": waveforms})[0])


def work(job: Json, began_s: float) -> Json:
    """Measure one model once."""
    pinned = pin(job["cores"])
    audio, folder = synthetic_audio(), Path(job["folder"])
    idle, ready_s = resident_bytes(), time.time()
    predict = open_model(
        folder / job["file"], job["provider"], job["threads"], cautious=job["cautious"]
    )
    opened_s = time.time()
    predict(cut(audio, job["effort"]["window_s"], 1))
    spoken_s = time.time()
    found = measure(predict, audio, job["effort"])
    found["idle_bytes"] = idle
    found["stages_s"] = {
        "python": began_s - job["started"],
        "import": ready_s - began_s,
        "open": opened_s - ready_s,
        "first call": spoken_s - opened_s,
    }
    with np.load(str(folder / "probes.npz"), allow_pickle=False) as probes:
        wanted = probes["posteriors"]
        said = [predict(probes[f"wave_{number}"])[0] for number in range(len(wanted))]
    gap = float(np.abs(np.array(said) - wanted).max())
    return {"round": found, "pinned": pinned, "probe_difference": gap}


def synthetic_audio() -> Waveforms:
    """Return 100 s of noise that rises and falls, the same on every device."""
    samples = 100 * SAMPLE_RATE_HZ
    noise = np.random.RandomState(0).standard_normal(samples)
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * np.arange(samples) / (1.3 * SAMPLE_RATE_HZ))
    return (0.1 * envelope * noise).astype(np.float32)


def call(job: Json) -> Json:
    """Run ``work`` in a process of its own; return its answer, or the error as ``{"error": …}``."""
    process = subprocess.Popen(  # noqa: S603 - this very file
        [sys.executable, str(Path(__file__).resolve()), "--worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=thread_environment(job["threads"]),
    )
    started = {"started": time.time()}
    try:
        out, err = process.communicate(json.dumps({**job, **started}).encode(), timeout=HUNG_S)
    except subprocess.TimeoutExpired:
        return {"error": f"gave no answer within {HUNG_S:g} s and was stopped"}
    finally:
        process.kill()
        process.wait()
    if process.returncode == 0 and out:
        return json.loads(out.decode())
    return {"error": ended(process.returncode, err)}


def worker_main() -> None:
    """Do one job that is read from standard input."""
    began_s = time.time()
    stream = answer_stream()
    job = json.loads(sys.stdin.read())
    try:
        answer = work(job, began_s)
    except Exception as error:
        answer = {"error": " ".join(str(error).split()) or type(error).__name__}
    stream.write(json.dumps(answer))
    stream.close()


def main() -> int:
    """Measure, and write results.json."""
    if sys.argv[1:] == ["--worker"]:
        worker_main()
        return 0
    options = arguments()
    folder = Path(__file__).resolve().parent
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    faults = [m["file"] for m in manifest["models"] if _digest(folder / m["file"]) != m["sha256"]]
    if faults:
        sys.exit(f"damaged or missing: {', '.join(faults)}; copy the bundle again")
    results = run_all(folder, manifest, options)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    Path(options.output).write_text(text, encoding="utf-8")
    for row in results["rows"]:
        print(f"{row['name']:24} {_summary(row)}")
    print(f"Written: {options.output}")
    return 1 if any(row["outcome"] != "measured" for row in results["rows"]) else 0


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description="Measure the models next to this file.")
    parser.add_argument(
        "--threads", type=_positive, default=1, help="threads of each process (default: 1)"
    )
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="rounds of measurements (default: 5)"
    )
    parser.add_argument(
        "--provider", default=CPU, help=f"provider of ONNX Runtime (default: {CPU})"
    )
    parser.add_argument("--name", default="", help="name of this device in the table")
    parser.add_argument(
        "--output", default="results.json", help="file to write (default: results.json)"
    )
    parser.add_argument(
        "--budget", type=float, default=EFFORT["budget_s"], help="seconds for each kind of call"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def run_all(folder: Path, manifest: Json, options: argparse.Namespace) -> Json:
    """Results of every model of the bundle, in the form that ``serbench deploy --import`` takes."""
    import onnxruntime

    here = machine(
        options.name, {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__}
    )  # fmt: skip
    shared = {
        "folder": str(folder), "provider": options.provider, "threads": options.threads,
        "cores": free_cores(options.threads), "effort": dict(EFFORT, budget_s=options.budget),
    }  # fmt: skip
    models = manifest["models"]
    rows = {model["name"]: new_row(model, options.provider) for model in models}
    pinned = []
    for number in range(options.rounds):
        shift = number % len(models)
        for model in models[shift:] + models[:shift]:
            row = rows[model["name"]]
            if row["outcome"] != "measured":
                continue
            print(f"round {number + 1} of {options.rounds}: {model['name']}", flush=True)
            job = {**shared, "file": model["file"], "cautious": model["cautious"]}
            answer = call(job)
            if "error" in answer:
                row.update(outcome="failed", reason=answer["error"], rounds=[])
                continue
            row["rounds"].append(answer["round"])
            row["probe_difference"] = answer["probe_difference"]
            pinned.append(answer["pinned"])
    here.update(load_end=load_average(), pinned=bool(pinned) and all(pinned))
    settings = {key: shared[key] for key in ("threads", "effort")}
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "run": manifest["run"],
        "machine": here,
        "settings": {**settings, "rounds": options.rounds},
        "reference": manifest["reference"],
        "rows": list(rows.values()),
    }


def new_row(model: Json, provider: str) -> Json:
    """A row that has not been measured yet."""
    return {
        **{key: model[key] for key in ("name", "plugin", "params", "precision", "size_bytes")},
        "device": "cpu" if provider == CPU else "cuda",
        "provider": provider,
        "outcome": "measured",
        "reason": None,
        "accuracy": None,
        "probe_difference": None,
        "rounds": [],
    }


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _summary(row: Json) -> str:
    if row["outcome"] != "measured":
        return f"failed: {row['reason']}"
    window = f"{EFFORT['window_s']:g}"
    calls_s = [each for found in row["rounds"] for each in found["latency_s"][window]]
    return (
        f"{window} s: {1e3 * float(np.median(calls_s)):.2f} ms (median), posteriors within "
        f"{row['probe_difference']:.1g} of the reference"
    )


if __name__ == "__main__":
    sys.exit(main())
