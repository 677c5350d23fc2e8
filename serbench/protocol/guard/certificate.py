"""The certificate of a run: what was checked, and what was fitted on which utterances."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import Field, JsonValue

from serbench.api import Params, StoreError
from serbench.api.json_text import read_model
from serbench.protocol.guard.canary import CanaryResult
from serbench.protocol.guard.view import FittedRecord
from serbench.settings import PROPER, ProtocolName

SCHEMA_VERSION = 3

LEAKS = {
    "L1": "a speaker or session on both sides of a split",
    "L2": "an utterance on both sides of a split, or not tested exactly once",
    "L3": "a segment outside its utterance's partition or bounds",
    "L4": "the same audio under two ids on both sides",
    "L5": "near-duplicates on both sides",
    "L6": "something fitted outside its training partition",
    "L7": "a teacher pretrained on the evaluated corpus",
    "L8": "the outer test labels read more than once",
    "L9": "the same sentence on both sides",
    "L10": "better than chance on permuted labels",
}
"""The guard's codes, in order."""


def _says_nothing(value: object) -> bool:
    """Whether a key is left out: keys that only some runs need are in their certificates only."""
    return not value


class FoldSide(Params):
    """One side of a fold.

    Attributes:
        units: speakers or sessions of the side.
        utterances: number of utterances.
        digest: ``id_set_digest`` of the utterances' ids.
    """

    units: tuple[str, ...]
    utterances: int
    digest: str


class FoldSummary(Params):
    """One fold.

    Attributes:
        name: ``"outer-1"``, ``"outer-1/inner-2"``.
        train: the side that models are fitted on.
        test: the side that is scored: the outer test or the inner validation side.
    """

    name: str
    train: FoldSide
    test: FoldSide


class TestSetRecord(FoldSide):
    """One of several test sets of an outer fold.

    Attributes:
        fold: the outer fold's name.
        name: the test set's name in the corpus's own split.
    """

    fold: str
    name: str


class LeakCheck(Params):
    """One of the guard's checks.

    Attributes:
        code: ``"L1"`` … ``"L10"``.
        leak: the leak that the check looks for.
        outcome: ``"passed"``; ``"measured"``; ``"not run: <reason>"``; for L7 also
            ``"undeclared: <teachers>"``, ``"undisclosed: …"`` and ``"allowed: …"``; for a leaky
            protocol ``"broken on purpose: <the leak>"``. Any other leak stops the run, so no
            certificate says "failed".
        detail: how much was checked, or what was measured.
    """

    code: str
    leak: str
    outcome: str = Field(
        pattern=r"(?s)^(passed|measured|"
        r"(not run|undeclared|undisclosed|allowed|broken on purpose): .+)$"
    )
    detail: str = ""


class TeacherRecord(Params):
    """Result of check L7 for one teacher.

    Attributes:
        teacher: the teacher's name in the run.
        status: ``"declared"``: it names its training corpora, and the evaluated corpus is not among
            them; ``"undisclosed"``: a part of them is not public; ``"undeclared"``: it does not
            name them, or not all; ``"overlap"``: the evaluated corpus is among them, and the run
            was allowed to continue.
        trained_on: the training corpora that it declares.
        shared: those of ``trained_on`` that overlap with the evaluated corpus.
    """

    teacher: str
    status: Literal["declared", "undisclosed", "undeclared", "overlap"]
    trained_on: tuple[str, ...]
    shared: tuple[str, ...] = ()


class StudentRecord(Params):
    """Result of check L7 for one student that inherits.

    Attributes:
        student: the student's name in the run.
        model: the model whose weights the student starts from.
        licence: licence of these weights.
        status, trained_on, shared: of that model; see ``TeacherRecord``.
    """

    student: str
    model: str
    licence: str
    status: Literal["declared", "undisclosed", "undeclared", "overlap"]
    trained_on: tuple[str, ...]
    shared: tuple[str, ...] = ()


class FrontEndRecord(Params):
    """Result of check L7 for one front end that runs a pretrained model.

    Attributes:
        front_end: the front end's name in the run.
        model: the model that it runs.
        licence: licence of that model's weights.
        status, trained_on, shared: of that model; see ``TeacherRecord``.
    """

    front_end: str
    model: str
    licence: str
    status: Literal["declared", "undisclosed", "undeclared", "overlap"]
    trained_on: tuple[str, ...]
    shared: tuple[str, ...] = ()


class AudioRecord(Params):
    """The unlabelled audio that students were trained on, before any fold or in their fits.

    Attributes:
        recordings: number of recordings.
        duration_s: total duration, in whole seconds.
        digest: ``UnlabelledAudio.digest``: names and PCM of every recording.
    """

    recordings: int
    duration_s: int
    digest: str


class TrialRecord(Params):
    """One candidate of a search, and its scores.

    Attributes:
        candidate: the candidate's number in the plan, from 1.
        values: the candidate's settings, by dotted path.
        ua: UA on the inner folds, in their order; halving may stop before the last fold.
    """

    candidate: int
    values: dict[str, JsonValue]
    ua: tuple[float, ...]


class SearchRecord(Params):
    """Trials of an inner search over a part of a grid, for one method, seed and outer fold.

    Attributes:
        method, outer, seed: what the search was for; ``outer`` counts folds from 1.
        strategy: ``"halving"``, ``"random"`` or ``"tpe"``.
        space: the values of each setting, by dotted path.
        points: number of candidates in the space.
        trials: the candidates that were tried.
        chosen: the candidate that was refitted, from 1.
    """

    method: str
    outer: int
    seed: int
    strategy: str
    space: dict[str, list[JsonValue]]
    points: int
    trials: tuple[TrialRecord, ...]
    chosen: int


class LabelReading(Params):
    """A reading of the labels of an outer test partition, with the predictions it was for.

    Attributes:
        method, outer, seed: fit that made the predictions; ``outer`` counts folds from 1.
        predictions_digest: ``predictions_digest`` of ids and posteriors.
    """

    method: str
    outer: int
    seed: int
    predictions_digest: str


class Certificate(Params):
    """Everything that the guard has checked in a run. Its digest is printed under every table.

    It contains no times and no paths, so the same run gives the same digest on any machine.

    Attributes:
        schema_version: 3.
        plan_digest: digest of the plan, as in ``plan.json``; empty before a run.
        protocol: name of the protocol; a ``leaky-…`` one is broken on purpose.
        corpus: the corpus's name.
        corpus_digest: ``CorpusTable.digest``: ids, labels, speakers and PCM of every utterance.
        unit: ``"speaker"`` or ``"session"``, what folds group by.
        utterances: size of the corpus.
        units: all speakers or sessions, in natural order.
        dropped: utterances left out as copies of others.
        evaluated: the corpus that is tested, if ``corpus`` is made of several or a part of it.
        incomplete: what the corpus lacks, or has but cannot use; left out if it is whole.
        made: how the corpus was made of others, or of a part of its labels; left out if it is as
            its card says.
        folds: each outer fold, followed by its inner folds.
        test_sets: parts of outer test sides that are scored separately, the headline's first; left
            out if test sides are scored as a whole.
        fitted: everything that was fitted, by partition and name.
        teachers: what each teacher was trained on.
        students: those that start from a pretrained model's weights; left out if there are none.
        front_ends: those that run a pretrained model; left out if there are none.
        audio: unlabelled audio that students were trained on; None if there was none.
        searches: inner searches that tried a part of a grid; left out if there are none.
        readings: readings of outer test labels, by method, fold and seed.
        canary: UA on permuted labels, by method; empty if it was not measured.
        checks: L1 … L10, each with its outcome.
    """

    schema_version: Literal[3]
    plan_digest: str = ""
    protocol: ProtocolName = PROPER
    corpus: str
    corpus_digest: str
    unit: Literal["speaker", "session"]
    utterances: int
    units: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    evaluated: str = Field(default="", exclude_if=_says_nothing)
    incomplete: tuple[str, ...] = Field(default=(), exclude_if=_says_nothing)
    made: tuple[str, ...] = Field(default=(), exclude_if=_says_nothing)
    folds: tuple[FoldSummary, ...]
    test_sets: tuple[TestSetRecord, ...] = Field(default=(), exclude_if=_says_nothing)
    fitted: tuple[FittedRecord, ...]
    teachers: tuple[TeacherRecord, ...] = ()
    students: tuple[StudentRecord, ...] = Field(default=(), exclude_if=_says_nothing)
    front_ends: tuple[FrontEndRecord, ...] = Field(default=(), exclude_if=_says_nothing)
    audio: AudioRecord | None = None
    searches: tuple[SearchRecord, ...] = Field(default=(), exclude_if=_says_nothing)
    readings: tuple[LabelReading, ...] = ()
    canary: tuple[CanaryResult, ...] = ()
    checks: tuple[LeakCheck, ...]

    @property
    def leaky(self) -> bool:
        """Whether the protocol was broken on purpose: no comparison may use the results."""
        return self.protocol != PROPER

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the foot of every table: broken protocols, teachers that are not clean, a
        corpus that is not whole.
        """
        checks = tuple(
            f"{check.code} {check.outcome}"
            for check in self.checks
            if check.outcome.startswith(("broken", "allowed", "undeclared", "undisclosed"))
        )
        return (*checks, *(f"incomplete: {line}" for line in self.incomplete))

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON: sorted keys, no spaces, UTF-8."""
        canonical = json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        """Indented JSON for ``certificate.json``."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Certificate:
        """Read a certificate that ``to_json`` has written.

        Raises:
            StoreError: the certificate is damaged, or has another schema version.
        """
        try:
            return read_model(cls, text)
        except ValueError as error:
            raise StoreError(
                f"not a certificate of schema version {SCHEMA_VERSION} ({error}); "
                "it is damaged or was written by another version of serbench"
            ) from error
