"""What a front end plugin is: from a waveform at 16 kHz to what a student hears."""

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
    """Where the frames of a front end lie, in samples at ``rate_hz``.

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
        centred: frame n lies around sample n · hop, the utterance mirrored at its ends; else it
            is the samples from n · hop on and nothing around them.
        whole: of frames that are not centred, only those that end within the utterance, but at
            least one; else a frame begins at every hop, and the last is filled up with zeros.
        rate_hz: what the front end resamples to first.
        length: samples that it brings each utterance to after that; None: it is left as it is.
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
        """Samples that a frame reaches out to either side of its middle."""
        return self.window // 2 if self.centred else 0

    @property
    def blocks(self) -> int:
        """Hops that a frame reaches over."""
        return max(1, -(-2 * self.reach // self.hop))

    def frames(self, samples: int) -> int:
        """Frames of an utterance of so many samples at 16 kHz."""
        own = self.length or -(-samples * self.rate_hz // SAMPLE_RATE_HZ)
        if self.centred:
            return 1 + own // self.hop
        if self.whole:
            return 1 + max(0, own - self.window) // self.hop
        return -(-own // self.hop)


class FrontEndParams(Params):
    """What every front end can be set to; those of a front end are a subclass."""

    normalise: Literal["partition", "range", "utterance", "none"] = "partition"
    """``partition``: mean and deviation of each value over the training partition.
    ``range``: its least and greatest value there become 0 and 1.
    ``utterance``: each utterance's own mean of each value is taken off first.
    ``none``: values are left as they are."""
    deltas: bool = False
    """Add Δ and ΔΔ as two more channels."""


@dataclass(frozen=True, slots=True)
class Hears:
    """What a student hears: a front end of the registry, and what it needs it set to.

    Attributes:
        params: laid over the registry's; a method's own ``front_end_params`` are laid over these.
    """

    front_end: str = "log-mel"
    params: Mapping[str, object] = field(default_factory=dict)


class FrontEnd(Plugin, Protocol):
    """A front end plugin: a fixed function of one utterance's waveform, without labels.

    Whatever has to be fitted (mean and deviation of its values) the harness fits, on the training
    partition only; ``normalise`` and ``deltas`` of its parameters are the harness's work too, so
    that what ``build`` makes knows nothing of them. An instance is one value: two of the same name
    and parameters are equal. ``params`` is a ``FrontEndParams``.

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
        """Of what a student reads: 3, values, Δ and ΔΔ; 1, the values alone."""
        return 3 if self.params.deltas else 1

    @property
    @abstractmethod
    def width(self) -> int:
        """d, values of a frame."""
        ...

    @property
    @abstractmethod
    def framing(self) -> Framing | None:
        """Where frames lie; None: one row of d values for a whole utterance."""
        ...

    @property
    def length_s(self) -> float | None:
        """Seconds that it brings each utterance to (its middle, or zeros around it); None: it
        leaves it as long as it is.
        """
        return None

    @property
    def gain(self) -> Sequence[float] | Literal["scale"] | None:
        """What 1 dB more level adds to each of the d values, or ``"scale"``: values are samples
        and are multiplied. None: not known, so that no gain can be drawn in training.
        """
        return None

    @property
    def bands(self) -> bool:
        """Whether neighbouring values are neighbouring frequencies, so that bands of them can be
        masked in training.
        """
        return False

    @property
    def half(self) -> bool:
        """Whether its frames are kept in float16."""
        return False

    @property
    def card(self) -> TeacherCard | None:
        """Of the pretrained model that it runs; None: it runs none."""
        return None

    @property
    def model_digest(self) -> str:
        """Digest of that model's weights; empty: there are none.

        Raises:
            TeacherError: the weights cannot be had; the message names the ways out.
        """
        return ""

    @property
    def not_exported(self) -> str:
        """Why a trained student cannot be exported with it, in a few words; empty: it can."""
        return ""

    @abstractmethod
    def build(self) -> nn.Module:
        """Waveforms ``(*N, samples)`` float32 at 16 kHz to ``(*N, frames, d)`` float32.

        Each utterance gives at least one frame, exactly one where ``framing`` is None.
        """
        ...

    def exported(self) -> nn.Module:
        """The same for an exported graph: as ``build``, in operations that exporters know, and

        ``frames(windows)``: ``(W, samples)`` of audio that was cut with ``framing.reach`` samples
        on either side of it, to its frames ``(W, frames, d)``.

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
