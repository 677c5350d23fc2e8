"""``functionals``: statistics of a whole utterance, openSMILE's or our own."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from types import ModuleType
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import BaseModel
from torch import Tensor

from serbench.api import SAMPLE_RATE_HZ, FrontEnd, FrontEndParams, PluginError, TeacherCard
from serbench_front_ends.rows import EachUtterance
from serbench_teachers.functionals import N_MELS, Functionals, FunctionalsParams

SHORTEST = 960
"""Samples that openSMILE needs, the 60 ms of its longest window; zeros fill up what is shorter."""

SetName = Literal["own", "egemaps", "compare"]


class OpenSmileSet(NamedTuple):
    """A set of openSMILE."""

    name: str
    width: int
    citation: str


OPENSMILE = {
    "egemaps": OpenSmileSet(
        *("eGeMAPSv02", 88),
        "Eyben et al., The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research "
        "and affective computing, IEEE TAC 7(2), 2016",
    ),
    "compare": OpenSmileSet(
        *("ComParE_2016", 6373),
        "Schuller et al., The INTERSPEECH 2016 computational paralinguistics challenge, "
        "Interspeech 2016",
    ),
}


class UtteranceFunctionalsParams(FrontEndParams):
    """Which statistics."""

    set: SetName = "own"
    """``own``: 287, see ``Functionals``; ``egemaps``: the 88 of eGeMAPSv02; ``compare``: the 6373
    of ComParE_2016. The last two need openSMILE: pip install 'serbench[opensmile]'."""


class UtteranceFunctionals(FrontEnd):
    """Statistics over a whole utterance.

    ``own`` are those of the teacher ``functionals``: mean, deviation, 10th, 50th and 90th
    percentile, and mean and deviation of the movement, of 40 log-mel bands and their energy.
    """

    name: ClassVar[str] = "functionals"
    Params: ClassVar[type[BaseModel]] = UtteranceFunctionalsParams
    params: UtteranceFunctionalsParams

    @property
    def width(self) -> int:
        """287, 88 or 6373."""
        return 7 * (N_MELS + 1) if self._opensmile is None else self._opensmile.width

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def card(self) -> TeacherCard | None:
        """Of openSMILE, for its licence; nothing in it is trained."""
        if self._opensmile is None:
            return None
        return TeacherCard(
            title=f"openSMILE {self._opensmile.name}",
            licence="audEERING research licence: no commercial use",
            home="https://github.com/audeering/opensmile-python",
            citation=self._opensmile.citation,
            pretrained_on=(),
        )

    @property
    def model_digest(self) -> str:
        """The version of openSMILE.

        Raises:
            PluginError: it is not installed.
        """
        if self._opensmile is None:
            return ""
        try:
            return f"opensmile:{metadata.version('opensmile')}"
        except metadata.PackageNotFoundError as error:
            raise _missing(self.params.set) from error

    @property
    def not_exported(self) -> str:
        """See ``FrontEnd``."""
        return "it takes statistics of a whole utterance"

    @property
    def _opensmile(self) -> OpenSmileSet | None:
        return OPENSMILE.get(self.params.set)

    def build(self) -> EachUtterance:
        """``(*N, samples)`` to ``(*N, 1, d)``; see ``FrontEnd``.

        Raises:
            PluginError: openSMILE is needed and is not installed.
        """
        if self._opensmile is None:
            return EachUtterance(_own_statistics())
        opensmile = _import_opensmile(self.params.set)
        return EachUtterance(_opensmile_statistics(self._opensmile, opensmile), SHORTEST)


def _own_statistics() -> Callable[[Tensor], Tensor]:
    """``(samples,)`` to ``(287,)``."""
    teacher = Functionals(FunctionalsParams())
    teacher.load(torch.device("cpu"))
    return lambda waveform: teacher.embed([waveform])[0].pooled[0]


def _opensmile_statistics(
    chosen: OpenSmileSet, opensmile: ModuleType
) -> Callable[[Tensor], Tensor]:
    """``(samples,)``, 60 ms at least, to ``(d,)``."""
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[chosen.name],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    return lambda waveform: torch.from_numpy(smile(waveform.numpy(), SAMPLE_RATE_HZ)).flatten()


def _import_opensmile(chosen: SetName) -> ModuleType:
    try:
        import opensmile
    except ImportError as error:
        raise _missing(chosen) from error
    return opensmile


def _missing(chosen: SetName) -> PluginError:
    return PluginError(
        f'front_end.set = "{chosen}" needs openSMILE, which is not installed: pip install '
        "'serbench[opensmile]' (audEERING research licence: no commercial use)"
    )
