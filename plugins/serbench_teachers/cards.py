"""The card of a teacher: from published facts and from what the user declares.

Published facts are valid for a hub id. A local folder may contain anything, also a fine-tuned copy,
so its licence and its training corpora are unknown unless the user declares them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from serbench.api import TeacherCard, read_json
from serbench_teachers.facts import CARDS, home
from serbench_teachers.weights import CONFIG, Checkpoint, find_checkpoint

_BY_FOLDED = {model.casefold(): model for model in CARDS}


def card_of(model: str, trained_on: tuple[str, ...] | None) -> TeacherCard:
    """The card of a hub id or a local folder.

    Args:
        model: hub id or folder.
        trained_on: corpora that the user declares. They are added to those of a published card.
            If the model has no published card, they count as all corpora that it was trained on.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return TeacherCard(
            title=folder.resolve().name,
            licence="unknown",
            home="local folder",
            citation="unknown",
            pretrained_on=trained_on,
            hint=_hint(folder) if trained_on is None else "",
        )
    published = _published(model)
    if published is not None:
        card, declared = CARDS[published], trained_on or ()
        return replace(card, fine_tuned_on=tuple(dict.fromkeys((*card.fine_tuned_on, *declared))))
    return TeacherCard(
        title=model,
        licence="unknown",
        home=home(model),
        citation="unknown",
        pretrained_on=trained_on,
    )


def _published(model: str) -> str | None:
    """The hub id as published; the hub does not distinguish upper and lower case."""
    return _BY_FOLDED.get(model.casefold())


def _hint(folder: Path) -> str:
    """A sentence on the well-known model from which a folder's config comes; else empty.

    This is only a hint, because a model that is trained further keeps its config.
    """
    try:
        config = read_json((folder / CONFIG).read_bytes())
        published = _published(config["_name_or_path"])  # pyright: ignore[reportIndexIssue]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""  # problems with the folder are reported when the weights are loaded
    if published is None:
        return ""
    return (
        f"{CONFIG} says that it derives from {published}; "
        "declare all that it was trained on with teacher.trained_on"
    )


class Pretrained:
    """A plugin that runs, or starts from, the pretrained model ``params.model``."""

    params: Any

    @property
    def card(self) -> TeacherCard:
        """Published facts about a well-known hub id, and what the user declares."""
        return card_of(self.params.model, self.params.trained_on)

    @property
    def model_digest(self) -> str:
        """sha256 of a local folder's files, or the commit of the hub's snapshot.

        Raises:
            TeacherError: the weights are not available; the message says what to do.
        """
        return self._checkpoint.digest

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        return find_checkpoint(self.params.model)
