"""``functionals``: statistics of a whole utterance, openSMILE's or our own."""

from __future__ import annotations

from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import BaseModel

from serbench.api import FrontEnd, FrontEndParams, PluginError, TeacherCard
from serbench_teachers.functionals import N_MELS

if TYPE_CHECKING:
    from torch import nn


SetName = Literal["own", "egemaps", "compare"]


class OpenSmileSet(NamedTuple):
    """A set of features of openSMILE."""

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
    """The set of statistics."""

    set: SetName = "own"
    """The set. ``own``: 287 statistics, see ``Functionals``; ``egemaps``: the 88 of
    eGeMAPSv02; ``compare``: the 6373 of ComParE_2016. The last two need openSMILE:
    pip install 'serbench[opensmile]'.
    """


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
        """Number of values: 287, 88 or 6373."""
        return 7 * (N_MELS + 1) if self._opensmile is None else self._opensmile.width

    @property
    def framing(self) -> None:
        """One row for a whole utterance."""
        return

    @property
    def card(self) -> TeacherCard | None:
        """Card of openSMILE, for its licence; nothing in it is trained."""
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
            PluginError: openSMILE is not installed.
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

    def build(self) -> nn.Module:
        """A module from ``(*N, samples)`` to ``(*N, 1, d)``; see ``FrontEnd``.

        Raises:
            PluginError: openSMILE is needed and is not installed.
        """
        from serbench_front_ends.transforms.functionals import opensmile_statistics, own_statistics

        if self._opensmile is None:
            return own_statistics()
        opensmile = _import_opensmile(self.params.set)
        return opensmile_statistics(self._opensmile, opensmile)


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
