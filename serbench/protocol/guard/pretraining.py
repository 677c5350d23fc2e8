"""L7: was a teacher, a model that a student inherits from, or a model that a front end runs,
trained on the evaluated corpus?

Cards answer this: a teacher's card declares what it was trained on, a corpus's card its names and
the corpora that it is made of. A teacher that declares nothing never counts as clean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serbench.api import CorpusCard, LeakageError, TeacherCard
from serbench.protocol.guard.certificate import FrontEndRecord, StudentRecord, TeacherRecord
from serbench.protocol.guard.corpus_names import canonical, contents

__all__ = [
    "Inheritance",
    "Listening",
    "Provenance",
    "canonical",
    "check_inheritance",
    "check_listening",
    "check_pretraining",
    "provenance",
    "provenance_line",
    "training_line",
]

Status = Literal["declared", "undisclosed", "undeclared", "overlap"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Relation of a teacher's training data to the evaluated corpus.

    Attributes:
        teacher: the teacher's name in the run.
        status: ``"overlap"``: the corpus is among them; ``"undeclared"``: they are not known, or
            not all; ``"undisclosed"``: a part of them is not public; ``"declared"``: they are
            known, and the corpus is not among them.
        shared: those that overlap with the corpus, as the teacher names them.
        trained_on: all that the teacher declares, pretraining first.
        hint: where the teacher may come from; not a declaration.
    """

    teacher: str
    status: Status
    shared: tuple[str, ...]
    trained_on: tuple[str, ...]
    hint: str = ""

    @property
    def record(self) -> TeacherRecord:
        """The entry in the certificate."""
        return TeacherRecord(
            teacher=self.teacher,
            status=self.status,
            trained_on=self.trained_on,
            shared=self.shared,
        )


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The model whose weights a student starts from.

    Attributes:
        student: the student's name in the run.
        card: card of the model.
        found: relation of the model's training data to the evaluated corpus.
    """

    student: str
    card: TeacherCard
    found: Provenance

    @property
    def record(self) -> StudentRecord:
        """The entry in the certificate."""
        return StudentRecord(
            student=self.student,
            model=self.card.title,
            licence=self.card.licence,
            status=self.found.status,
            trained_on=self.found.trained_on,
            shared=self.found.shared,
        )


@dataclass(frozen=True, slots=True)
class Listening:
    """The model that a front end runs.

    Attributes:
        front_end: the front end's name in the run.
        card: card of the model.
        found: relation of the model's training data to the evaluated corpus.
    """

    front_end: str
    card: TeacherCard
    found: Provenance

    @property
    def record(self) -> FrontEndRecord:
        """The entry in the certificate."""
        return FrontEndRecord(
            front_end=self.front_end,
            model=self.card.title,
            licence=self.card.licence,
            status=self.found.status,
            trained_on=self.found.trained_on,
            shared=self.found.shared,
        )


def provenance(
    teacher_name: str, teacher_card: TeacherCard, corpus_name: str, corpus_card: CorpusCard
) -> Provenance:
    """Compare a teacher's card with a corpus's: its name, title, other names and parts."""
    names = (corpus_name, corpus_card.title, *corpus_card.names, *corpus_card.made_of)
    evaluated = frozenset[str]().union(*map(contents, names))
    trained_on = _declared(teacher_card)
    shared = tuple(name for name in trained_on if contents(name) & evaluated)
    return Provenance(
        teacher_name, _status(teacher_card, shared), shared, trained_on, teacher_card.hint
    )


def check_pretraining(
    cards: Mapping[str, TeacherCard], corpus_name: str, corpus_card: CorpusCard, *, allow: bool
) -> tuple[Provenance, ...]:
    """Prove that no teacher declares to have been trained on the evaluated corpus.

    Args:
        cards: cards of the run's teachers, by their names in the run.
        corpus_name: the evaluated corpus.
        corpus_card: its card.
        allow: continue if there is overlap; the result reports it.

    Returns:
        One ``Provenance`` for each teacher, in the order of ``cards``.

    Raises:
        LeakageError: L7, with each teacher and the corpora that it shares.
    """
    return _checked(cards, corpus_name, corpus_card, "teacher", "teachers", allow=allow)


def check_inheritance(
    cards: Mapping[str, TeacherCard], corpus_name: str, corpus_card: CorpusCard, *, allow: bool
) -> tuple[Inheritance, ...]:
    """As ``check_pretraining``, for the models that students inherit from.

    Args:
        cards: cards of these models, by the students' names in the run.
        corpus_name: the evaluated corpus.
        corpus_card: its card.
        allow: continue if there is overlap; the result reports it.

    Raises:
        LeakageError: L7, with each student and the corpora that its model shares.
    """
    what = "students that inherit from models"
    found = _checked(cards, corpus_name, corpus_card, "student", what, allow=allow)
    return tuple(
        Inheritance(name, card, each)
        for (name, card), each in zip(cards.items(), found, strict=True)
    )


def check_listening(
    cards: Mapping[str, TeacherCard], corpus_name: str, corpus_card: CorpusCard, *, allow: bool
) -> tuple[Listening, ...]:
    """As ``check_pretraining``, for the models that front ends run.

    Args:
        cards: cards of these models, by the front ends' names in the run.
        corpus_name: the evaluated corpus.
        corpus_card: its card.
        allow: continue if there is overlap; the result reports it.

    Raises:
        LeakageError: L7, with each front end and the corpora that its model shares.
    """
    what = "front ends that run models"
    found = _checked(cards, corpus_name, corpus_card, "front end", what, allow=allow)
    return tuple(
        Listening(name, card, each) for (name, card), each in zip(cards.items(), found, strict=True)
    )


def _checked(
    cards: Mapping[str, TeacherCard],
    corpus_name: str,
    corpus_card: CorpusCard,
    kind: str,
    what: str,
    *,
    allow: bool,
) -> tuple[Provenance, ...]:
    found = tuple(provenance(name, card, corpus_name, corpus_card) for name, card in cards.items())
    overlaps = [each for each in found if each.status == "overlap"]
    if overlaps and not allow:
        raise LeakageError(
            "L7",
            f"{what} that were trained on recordings of {corpus_name} (choose another {kind}; or "
            "set protocol.allow_pretraining_overlap, and every table will say so)",
            [f"{each.teacher} ({', '.join(each.shared)})" for each in overlaps],
        )
    return found


def provenance_line(found: Provenance, corpus_name: str) -> str:
    """One line for tables: ``"mine: undeclared, so overlap with emodb cannot be excluded"``."""
    trained_on = ", ".join(found.trained_on)
    if found.status == "overlap":
        said = f"trained on {', '.join(found.shared)}, and so on recordings of {corpus_name}"
    elif found.status == "undeclared":
        what = f"declared are {trained_on}, the rest is undeclared" if trained_on else "undeclared"
        said = f"{what}, so overlap with {corpus_name} cannot be excluded"
        said += f" ({found.hint})" if found.hint else ""
    elif found.status == "undisclosed":
        part = f"trained on {trained_on} and on data" if trained_on else "trained on data"
        said = (
            f"{part} that are not public, so overlap with {corpus_name} can be neither shown nor "
            "excluded"
        )
    elif trained_on:
        said = f"trained on {trained_on}; not on {corpus_name}"
    else:
        said = "trained on nothing"
    return f"{found.teacher}: {said}"


def training_line(card: TeacherCard) -> str:
    """Description of the training that a card declares, for lists: ``"trained on LibriSpeech"``."""
    declared = list(_declared(card))
    if card.pretrained_on is None:
        return (
            f"trained on {', '.join(declared)}, other training data undeclared"
            if declared
            else ("training data undeclared")
        )
    if card.undisclosed:
        declared.append("undisclosed data")
    return f"trained on {', '.join(declared) or 'nothing'}"


def _declared(card: TeacherCard) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(card.pretrained_on or ()), *card.fine_tuned_on)))


def _status(card: TeacherCard, shared: tuple[str, ...]) -> Status:
    if shared:
        return "overlap"
    if card.pretrained_on is None:
        return "undeclared"
    return "undisclosed" if card.undisclosed else "declared"
