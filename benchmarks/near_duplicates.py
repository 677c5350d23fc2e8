"""Measure near-duplicate detection: recall and precision on planted copies, takes, cost by size.

    python benchmarks/near_duplicates.py --corpus EMODB --speech FOLDER

prints the tables of docs/near-duplicates.md. ``--corpus`` is a folder with EmoDB's wav files: each
is planted as a copy by every transform, and all takes of a sentence by one speaker are compared.
``--speech`` is any folder of recordings, for the cost by size: they are cut into stretches of 1 to
4 s, and played faster and slower until there are enough.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ
from serbench.data.audio import read_waveform
from serbench.protocol.guard.near.fingerprints import fingerprint
from serbench.protocol.guard.near.index import candidates
from serbench.protocol.guard.near.search import THRESHOLD
from serbench.protocol.guard.near.verify import Prepared, compare, prepare

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the copies that tests plant

from tests_support.copies import (  # pyright: ignore[reportMissingImports]
    MP3,
    OGG,
    PARTS,
    TRANSFORMS,
    Transform,
    Waveform,
    encoded,
    mp3_at,
    noisy,
    part,
)

BEYOND: dict[str, Transform] = {
    "mp3, 16 kbit/s": mp3_at(16),
    "noise at 20 dB below": noisy(20.0),
    "noise at 10 dB below": noisy(10.0),
}
"""Harder than promised, to see where it ends."""

SIZES = (2_500, 5_000, 10_000, 20_000)
SPEEDS = (1.0, 1.1, 0.9, 1.2, 0.8)


@dataclass(frozen=True, slots=True)
class Pair:
    """A compared candidate: positions and similarity."""

    one: int
    other: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of each stage, and what came of it."""

    fingerprints_s: float
    index_s: float
    compare_s: float
    looked_at: int
    pairs: tuple[Pair, ...]


def main() -> None:
    """Print every table that the given folders allow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="folder with EmoDB's wav files")
    parser.add_argument("--speech", type=Path, help="folder of recordings for the cost by size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="utterances")
    options = parser.parse_args()
    if options.corpus:
        files = sorted(options.corpus.rglob("*.wav"))
        waveforms = [read_waveform(file) for file in files]
        print_rates(waveforms)
        print_detection(waveforms)
        print_takes([file.stem for file in files], waveforms)
    if options.speech:
        print_cost(options.speech, options.sizes)


def search(count: int, waveform_of: Callable[[int], Waveform]) -> Cost:
    """What ``near_duplicates`` does, stage by stage, in one thread, reading nothing.

    ``waveform_of`` is not part of the seconds.
    """
    fingerprints, fingerprints_s = [], 0.0
    for position in range(count):
        waveform = waveform_of(position)
        begin = time.perf_counter()
        fingerprints.append(fingerprint(waveform))
        fingerprints_s += time.perf_counter() - begin
    begin = time.perf_counter()
    chosen = candidates(fingerprints).tolist()
    index_s = time.perf_counter() - begin
    prepared: dict[int, Prepared] = {}
    compare_s, pairs = 0.0, []
    for one, other in chosen:
        read = {p: waveform_of(p) for p in (one, other) if p not in prepared}
        begin = time.perf_counter()
        prepared.update({p: prepare(waveform) for p, waveform in read.items()})
        likeness = compare(prepared[one], prepared[other])
        compare_s += time.perf_counter() - begin
        pairs.append(Pair(one, other, likeness.similarity))
    return Cost(fingerprints_s, index_s, compare_s, len(chosen), tuple(pairs))


def print_rates(waveforms: list[Waveform]) -> None:
    """The bit rates that the encoders really gave."""
    seconds = sum(map(len, waveforms)) / SAMPLE_RATE_HZ
    for name, codec in (("mp3", MP3), ("ogg", OGG)):
        size = sum(len(encoded(waveform, codec)[0]) for waveform in waveforms)
        print(f"{name}: {size * 8 / seconds / 1000:.1f} kbit/s on average, headers included")


def print_detection(waveforms: list[Waveform]) -> None:
    """Every recording planted once per transform: recall, precision, extremes."""
    count = len(waveforms)
    print(f"\n{count} recordings, each with one copy per transform; threshold {THRESHOLD}\n")
    print("| transform | found | recall | false pairs | precision | lowest copy | highest other |")
    print("| :-- | --: | --: | --: | --: | --: | --: |")
    lowest, highest = 1.0, 0.0
    for number, (name, transform) in enumerate({**TRANSFORMS, **PARTS, **BEYOND}.items()):
        draw = np.random.default_rng(number)
        every = [*waveforms, *(transform(waveform, draw) for waveform in waveforms)]
        pairs = search(len(every), every.__getitem__).pairs
        copies = [p.similarity for p in pairs if p.other - p.one == count]
        others = [p.similarity for p in pairs if p.other - p.one != count]
        found = sum(s >= THRESHOLD for s in copies)
        false = sum(s >= THRESHOLD for s in others)
        # A copy that never became a candidate has no similarity.
        bottom = min(copies) if len(copies) == count else math.nan
        top = max(others, default=0.0)
        highest = max(highest, top)
        if name in TRANSFORMS:
            lowest = min(lowest, bottom)
        precision = found / (found + false) if found + false else math.nan
        print(
            f"| {name} | {found} | {found / count:.4f} | {false} | {precision:.4f} "
            f"| {bottom:.3f} | {top:.3f} |",
            flush=True,
        )
    print(f"\nlowest whole copy {lowest:.3f}, highest candidate that is none {highest:.3f}")


def print_takes(names: list[str], waveforms: list[Waveform]) -> None:
    """All takes of a sentence by one speaker, compared whether or not they are candidates."""
    takes: defaultdict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        takes[name[:5]].append(position)  # speaker and sentence, in EmoDB's names
    draw = np.random.default_rng(0)
    whole = [prepare(waveform) for waveform in waveforms]
    parts = [prepare(part(waveform, draw, 0.7)) for waveform in waveforms]
    pairs = [pair for group in takes.values() for pair in itertools.combinations(group, 2)]
    print(f"\n{len(pairs)} pairs of takes of one sentence by one speaker")
    for what, others in (("whole", whole), ("against 0.7 s of the other", parts)):
        values = np.array([compare(whole[a], others[b]).similarity for a, b in pairs])
        print(
            f"{what}: highest {values.max():.3f}, 99th percentile "
            f"{np.percentile(values, 99):.3f}, median {np.median(values):.3f}"
        )


def print_cost(folder: Path, sizes: list[int]) -> None:
    """Seconds by size; each size is measured twice, and the smaller total counts."""
    pieces = list(itertools.islice(_pieces(folder), max(sizes)))
    if len(pieces) < max(sizes):
        sys.exit(f"{folder} gives {len(pieces)} pieces only; {max(sizes)} are needed")
    print(
        "\n| utterances | seconds of speech | fingerprints | index | candidates | comparison "
        "| pairs found | total |"
    )
    print("| --: | --: | --: | --: | --: | --: | --: | --: |")
    for size in sizes:
        corpus = pieces[:size]
        cost = min((_measured(corpus) for _ in range(2)), key=_total)
        found = sum(pair.similarity >= THRESHOLD for pair in cost.pairs)
        seconds = sum(map(len, corpus)) / SAMPLE_RATE_HZ
        print(
            f"| {size} | {seconds:.0f} | {cost.fingerprints_s:.2f} s | {cost.index_s:.2f} s "
            f"| {cost.looked_at} | {cost.compare_s:.2f} s | {found} | {_total(cost):.2f} s |",
            flush=True,
        )


def _total(cost: Cost) -> float:
    return cost.fingerprints_s + cost.index_s + cost.compare_s


def _measured(corpus: list[NDArray[np.int16]]) -> Cost:
    return search(len(corpus), lambda p: corpus[p].astype(np.float32) / np.float32(32768))


def _pieces(folder: Path) -> Iterator[NDArray[np.int16]]:
    """Disjoint stretches of 1 to 4 s, at one speed after the other, as 16-bit PCM."""
    draw = np.random.default_rng(0)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    waveforms = [(np.clip(read_waveform(p), -1, 1) * 32767).astype(np.int16) for p in files]
    for speed in SPEEDS:
        for waveform in waveforms:
            played = waveform
            if speed != 1.0:
                changed = soxr.resample(waveform, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ)
                played = np.asarray(changed, np.int16)
            begin = 0
            while len(played) - begin >= SAMPLE_RATE_HZ:
                size = int(draw.uniform(1, 4) * SAMPLE_RATE_HZ)
                yield played[begin : begin + size]
                begin += size


if __name__ == "__main__":
    main()
