"""Measure near-duplicate detection: recall and precision on planted copies, takes, cost by size.

    python benchmarks/near_duplicates.py --corpus emodb=FOLDER --corpus ravdess=FOLDER
    python benchmarks/near_duplicates.py --speech FOLDER

print the tables of docs/near-duplicates.md. ``--corpus`` is a dataset of the registry and its
folder: its own pairs are listed, each recording is planted as a copy by every transform, all takes
of a sentence by one speaker are compared, and again after both got the same mains hum. ``--speech``
is any folder of recordings, for the cost by size: they are cut into stretches of 1 to 4 s, and
played faster and slower until there are enough.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ
from serbench.data.corpus.check import scan
from serbench.protocol.guard.near.fingerprints import Words, fingerprint
from serbench.protocol.guard.near.index import candidates
from serbench.protocol.guard.near.search import THRESHOLD, similar
from serbench.protocol.guard.near.verify import Prepared, compare, prepare
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench_runtime.audio.read import read_waveform

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the copies that tests plant

from tests_support.copies import (  # pyright: ignore[reportMissingImports]
    MP3,
    OGG,
    PARTS,
    TRANSFORMS,
    Transform,
    Waveform,
    encoded,
    humming,
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

HUM_BELOW_DB = (60.0, 40.0, 30.0, 20.0, 10.0, 0.0)

T = TypeVar("T")

PLANTED = 540
"""Recordings that are copied; of a larger corpus so many are drawn. All others stay beside them."""

COMPARED = 4_000
"""Pairs of takes that are compared, likewise."""

TAKES = 360
"""Pairs of one emotion that are set in a room that hums, likewise."""

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
    """Seconds of CPU time of each stage, and what came of it."""

    fingerprints_s: float
    index_s: float
    compare_s: float
    looked_at: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Recordings:
    """A corpus without its own copies.

    Attributes:
        takes: of one sentence by one speaker, as positions.
        same: those of one emotion and intensity, too.
    """

    waveforms: list[Waveform]
    takes: list[tuple[int, int]]
    same: list[tuple[int, int]]


def main() -> None:
    """Print every table that the given folders allow."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpus", action="append", default=[], help="NAME=FOLDER, repeatable")
    parser.add_argument("--speech", type=Path, help="folder of recordings for the cost by size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="utterances")
    options = parser.parse_args()
    for named in options.corpus:
        name, _, folder = named.partition("=")
        recordings = read_corpus(name, Path(folder))
        print_rates(_drawn(recordings.waveforms, PLANTED))
        print_detection(recordings.waveforms)
        print_takes(recordings)
        print_hum(recordings)
    if options.speech:
        print_cost(options.speech, options.sizes)


def read_corpus(name: str, folder: Path) -> Recordings:
    """Print a corpus's own pairs; give it without the second of each."""
    corpus = load_registry(load_plugins()).make("corpora", name)
    records = scan(corpus, name, folder)  # pyright: ignore[reportArgumentType]
    waveforms = [read_waveform(record.path) for record in records]
    pairs = similar([fingerprint(waveform) for waveform in waveforms], waveforms.__getitem__)
    print(f"\n# {name}: {len(records)} recordings, {len(pairs)} pairs of copies")
    for one, other, similarity, _ in pairs:
        print(f"{records[one].id} ~ {records[other].id}: {similarity:.3f}")
    second = {other for _, other, _, _ in pairs}
    kept = [n for n in range(len(records)) if n not in second]
    takes: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
    for position, n in enumerate(kept):
        takes[records[n].speaker, records[n].text].append(position)
    every = [pair for group in takes.values() for pair in itertools.combinations(group, 2)]
    kind = [(records[n].label, records[n].intensity) for n in kept]
    same = [(a, b) for a, b in every if kind[a] == kind[b]]
    return Recordings([waveforms[n] for n in kept], _drawn(every, COMPARED), _drawn(same, TAKES))


def _drawn(of: Sequence[T], most: int) -> list[T]:
    if len(of) <= most:
        return list(of)
    chosen = np.random.default_rng(0).choice(len(of), most, replace=False)
    return [of[n] for n in np.sort(chosen).tolist()]


def searched(fingerprints: Sequence[Words], waveforms: Sequence[Waveform]) -> list[Pair]:
    """Every candidate, compared."""
    pairs = []
    for one, other in candidates(fingerprints).tolist():
        likeness = compare(prepare(waveforms[one]), prepare(waveforms[other]))
        pairs.append(Pair(one, other, likeness.similarity))
    return pairs


def search(count: int, waveform_of: Callable[[int], Waveform]) -> Cost:
    """What ``near_duplicates`` does, stage by stage, in one thread, reading nothing.

    ``waveform_of`` is not part of the seconds.
    """
    fingerprints, fingerprints_s = [], 0.0
    for position in range(count):
        waveform = waveform_of(position)
        begin = time.process_time()
        fingerprints.append(fingerprint(waveform))
        fingerprints_s += time.process_time() - begin
    begin = time.process_time()
    chosen = candidates(fingerprints).tolist()
    index_s = time.process_time() - begin
    prepared: dict[int, Prepared] = {}
    compare_s, pairs = 0.0, []
    for one, other in chosen:
        read = {p: waveform_of(p) for p in (one, other) if p not in prepared}
        begin = time.process_time()
        prepared.update({p: prepare(waveform) for p, waveform in read.items()})
        likeness = compare(prepared[one], prepared[other])
        compare_s += time.process_time() - begin
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
    planted = _drawn(range(count), PLANTED)
    print(
        f"\n{count} recordings, {len(planted)} with one copy per transform; threshold {THRESHOLD}\n"
    )
    print("| transform | found | recall | false pairs | precision | lowest copy | highest other |")
    print("| :-- | --: | --: | --: | --: | --: | --: |")
    lowest, highest = 1.0, 0.0
    own = [fingerprint(waveform) for waveform in waveforms]
    for number, (name, transform) in enumerate({**TRANSFORMS, **PARTS, **BEYOND}.items()):
        draw = np.random.default_rng(number)
        every = [*waveforms, *(transform(waveforms[n], draw) for n in planted)]
        pairs = searched([*own, *map(fingerprint, every[count:])], every)
        own_copy = {(one, count + n) for n, one in enumerate(planted)}
        copies = [p.similarity for p in pairs if (p.one, p.other) in own_copy]
        others = [p.similarity for p in pairs if (p.one, p.other) not in own_copy]
        found = sum(s >= THRESHOLD for s in copies)
        false = sum(s >= THRESHOLD for s in others)
        # A copy that never became a candidate has no similarity.
        bottom = min(copies) if len(copies) == len(planted) else math.nan
        top = max(others, default=0.0)
        highest = max(highest, top)
        if name in TRANSFORMS:
            lowest = min(lowest, bottom)
        precision = found / (found + false) if found + false else math.nan
        print(
            f"| {name} | {found} | {found / len(planted):.4f} | {false} | {precision:.4f} "
            f"| {bottom:.3f} | {top:.3f} |",
            flush=True,
        )
    print(f"\nlowest whole copy {lowest:.3f}, highest candidate that is none {highest:.3f}")


def print_takes(recordings: Recordings) -> None:
    """All takes of a sentence by one speaker, compared whether or not they are candidates."""
    draw = np.random.default_rng(0)
    whole = [prepare(waveform) for waveform in recordings.waveforms]
    parts = [prepare(part(waveform, draw, 0.7)) for waveform in recordings.waveforms]
    print(f"\n{len(recordings.takes)} pairs of takes of one sentence by one speaker")
    for what, others in (("whole", whole), ("against 0.7 s of the other", parts)):
        values = [compare(whole[a], others[b]).similarity for a, b in recordings.takes]
        print(
            f"{what}: highest {max(values):.3f}, 99th percentile "
            f"{np.percentile(values, 99):.3f}, median {np.median(values):.3f}, "
            f"{sum(value >= THRESHOLD for value in values)} at the threshold or above",
            flush=True,
        )


def print_hum(recordings: Recordings) -> None:
    """Takes of one emotion in a room that hums, longer than the speech, and copies likewise."""
    print("\n| hum | pairs of takes | false pairs | highest take | copies | lowest copy |")
    print("| :-- | --: | --: | --: | --: | --: |")
    pairs = recordings.same
    for below_db in HUM_BELOW_DB:
        draw = np.random.default_rng(0)

        hum = humming(below_db)
        rooms = [[prepare(hum(recordings.waveforms[p], draw)) for p in (a, b, a)] for a, b in pairs]
        takes = [compare(one, other).similarity for one, other, _ in rooms]
        copies = [compare(one, again).similarity for one, _, again in rooms]
        false = sum(value >= THRESHOLD for value in takes)
        print(
            f"| {below_db:.0f} dB below | {len(pairs)} | {false} | {max(takes):.3f} "
            f"| {sum(value >= THRESHOLD for value in copies)} | {min(copies):.3f} |",
            flush=True,
        )


def print_cost(folder: Path, sizes: list[int]) -> None:
    """CPU time by size; each size is measured twice, and the smaller total counts."""
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
