"""Front end plugins: they compute a student's input from a waveform at 16 kHz."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from serbench.api.params import Params, Plugin
from serbench.api.teacher import TeacherCard
from serbench_runtime.waveform import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Framing:
    """Position of a front end's frames, in samples at ``rate_hz``.

    Examples:
        >>> Framing(window=400, hop=160).frames(16000)
        101
        >>> Framing(window=320, hop=320, centred=False).frames(16000)
        50
        >>> Framing(window=400, hop=320, centred=False, whole=True).frames(16000)
        49

    Attributes:
        window: samples that a frame is computed from.
        hop: samples from frame to frame.
        centred: frame n is centred on sample n · hop, and the utterance is mirrored at its ends.
            Otherwise the frame begins at sample n · hop.
        whole: for frames that are not centred: only frames that end within the utterance, but at
            least one. Otherwise a frame begins at every hop, and the last one is padded with zeros.
        rate_hz: the rate that the front end first resamples to.
        length: samples that each utterance is then cut or padded to; None: it is left as it is.
    """

    window: int
    hop: int
    centred: bool = True
    whole: bool = False
    rate_hz: int = SAMPLE_RATE_HZ
    length: int | None = None

    @property
    def hop_s(self) -> float:
        """Seconds from frame to frame."""
        return self.hop / self.rate_hz

    @property
    def reach(self) -> int:
        """Samples that a frame extends to either side of its centre."""
        return self.window // 2 if self.centred else 0

    @property
    def blocks(self) -> int:
        """Hops that a frame extends over."""
        return max(1, -(-2 * self.reach // self.hop))

    def frames(self, samples: int) -> int:
        """Number of frames of an utterance of ``samples`` samples at 16 kHz."""
        own = self.length or -(-samples * self.rate_hz // SAMPLE_RATE_HZ)
        if self.centred:
            return 1 + own // self.hop
        if self.whole:
            return 1 + max(0, own - self.window) // self.hop
        return -(-own // self.hop)


class FrontEndParams(Params):
    """Parameters of every front end; each front end's own are in a subclass."""

    normalise: Literal["partition", "range", "utterance", "none"] = "partition"
    """``partition``: standardise each value by its mean and standard deviation over the training
    partition. ``range``: map its least and greatest value there to 0 and 1. ``utterance``: subtract
    each utterance's own mean of each value. ``none``: leave values as they are.
    """
    deltas: bool = False
    """Add Δ and ΔΔ as two more channels."""


@dataclass(frozen=True, slots=True)
class Hears:
    """A student's input: a front end of the registry, and the parameters that it needs.

    Attributes:
        params: these override the registry's parameters; a method's own ``front_end_params``
            override these.
    """

    front_end: str = "log-mel"
    params: Mapping[str, object] = field(default_factory=dict)


class FrontEnd(Plugin, Protocol):
    """A front end plugin: a fixed function of one utterance's waveform, without labels.

    The harness fits the normalisation, on the training partition only. It also applies the
    parameters ``normalise`` and ``deltas``: the module that ``build`` returns ignores them.
    Instances with the same name and parameters are equal. ``params`` is a ``FrontEndParams``.

    Examples:
        >>> import torch
        >>> from serbench.api import FrontEnd, FrontEndParams, Framing
        >>> class Energy(FrontEnd):
        ...     name = "energy"
        ...     Params = FrontEndParams
        ...
        ...     @property
        ...     def width(self):
        ...         return 1
        ...
        ...     @property
        ...     def framing(self):
        ...         return Framing(window=320, hop=320, centred=False)
        ...
        ...     def build(self):
        ...         return Blocks()
        >>> class Blocks(torch.nn.Module):
        ...     def forward(self, waveforms):  # (*N, samples)
        ...         spare = -waveforms.shape[-1] % 320
        ...         filled = torch.nn.functional.pad(waveforms, (0, spare))
        ...         return filled.unflatten(-1, (-1, 320)).square().mean(-1, keepdim=True)
        >>> Energy(FrontEndParams()).build()(torch.ones(2, 16000)).shape
        torch.Size([2, 50, 1])
    """

    params: Any

    @property
    def channels(self) -> int:
        """Channels of a student's input: 3 for values, Δ and ΔΔ, or 1 for the values alone."""
        return 3 if self.params.deltas else 1

    @property
    @abstractmethod
    def width(self) -> int:
        """d, the number of values per frame."""
        ...

    @property
    @abstractmethod
    def framing(self) -> Framing | None:
        """Position of frames; None: one row of d values for a whole utterance."""
        ...

    @property
    def length_s(self) -> float | None:
        """Seconds that each utterance is cut or padded to, around its middle; None: unchanged."""
        return None

    @property
    def gain(self) -> Sequence[float] | Literal["scale"] | None:
        """How much each of the d values grows if the level rises by 1 dB. ``"scale"``: the values
        are samples and are multiplied. None: unknown, so that no gain can be drawn in training.
        """
        return None

    @property
    def bands(self) -> bool:
        """Whether neighbouring values are neighbouring frequencies, so that training can mask
        bands.
        """
        return False

    @property
    def half(self) -> bool:
        """Whether frames are stored in float16."""
        return False

    @property
    def card(self) -> TeacherCard | None:
        """Card of the pretrained model that the front end runs; None: it runs none."""
        return None

    @property
    def model_digest(self) -> str:
        """Digest of that model's weights; empty if it runs no model.

        Raises:
            TeacherError: the weights are not available; the message says how to get them.
        """
        return ""

    @property
    def not_exported(self) -> str:
        """Why a trained student cannot be exported with it, in a few words; empty: it can."""
        return ""

    @abstractmethod
    def build(self) -> nn.Module:
        """Waveforms ``(*N, samples)`` float32 at 16 kHz to ``(*N, frames, d)`` float32.

        Each utterance gives at least one frame; exactly one if ``framing`` is None.
        """
        ...

    def exported(self) -> nn.Module:
        """The module for an exported graph: as ``build``, in operations that exporters know.

        It also has ``frames(windows)``: from ``(W, samples)`` of audio, cut with ``framing.reach``
        samples on either side, to frames ``(W, frames, d)``.

        Raises:
            PluginError: it cannot be exported; see ``not_exported``.
        """
        from serbench.errors import PluginError

        raise PluginError(f"front end {self.name} cannot be exported: {self.not_exported}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity == other._identity  # pyright: ignore[reportAttributeAccessIssue]

    def __hash__(self) -> int:
        return hash((self.name, self._identity))

    @property
    def _identity(self) -> str:
        return self.params.model_dump_json()
