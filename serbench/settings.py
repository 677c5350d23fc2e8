"""Every setting of a run, with its default, its bounds and its unit.

A run's settings come from these defaults, then the method's entry in the registry, then the
profile, then the method's own part of that profile, then ``--set path=value``; each layer is
checked against the same schema.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from serbench.api.params import Params

Fraction = Field(ge=0.0, le=1.0)
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


class SegmentSettings(Params):
    """Windows (Algorithm 2): one random crop per epoch in training, sliding ones in evaluation.

    With a front end that hears a whole utterance at once, each utterance is one window.
    """

    window_s: PositiveFloat = 3.0
    overlap_s: NonNegativeFloat = 0.5
    cut: Literal["sliding", "centre"] = "sliding"
    """``centre``: an utterance is one window, its middle, in training and in evaluation."""


class AugmentSettings(Params):
    """What is done to a training window. SpecAugment masks (Park et al., Interspeech 2019)."""

    time_masks: int = Field(default=2, ge=0)
    time_mask_s: NonNegativeFloat = 0.30
    mel_masks: int = Field(default=2, ge=0)
    mel_mask_bins: int = Field(default=6, ge=0)
    gain_db: NonNegativeFloat = 6.0
    """Each window is made louder or softer by a uniform draw of up to this many decibels."""
    crops: int = Field(default=0, ge=0, le=32)
    """Fixed random crops of each utterance, of ``segments.window_s`` and with their own gain, that
    take the place of random windows. Teachers hear them, too, and say of each what they hear in it;
    masks stay the student's. 0: windows are drawn anew, and teachers speak of whole utterances."""
    speed: float = Field(default=0.0, ge=0.0, le=0.5)
    """Of crops: each is faster or slower by up to this share, and so higher or lower."""

    @model_validator(mode="after")
    def _speed_is_of_crops(self) -> AugmentSettings:
        if self.speed and not self.crops:
            msg = "speed is of crops; set crops to 1 or more, or leave speed at 0"
            raise ValueError(msg)
        return self


class OptimiserSettings(Params):
    """How weights are updated."""

    batch_size: int = Field(default=32, ge=2)
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    optimizer: Literal["adam", "adamw"] = "adamw"
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Adam's decay of the means of gradients and of their squares."""
    accumulate: PositiveInt = 1
    """Batches whose mean gradient makes one step; the last step of an epoch may have fewer."""
    schedule: Literal["constant", "cosine", "step", "restarts"] = "cosine"
    """``cosine``: from the peak to zero. ``step``: times ``step_factor`` at epoch ``step_from``
    and every ``step_epochs`` epochs after it. ``restarts``: a cosine from the peak to ``floor``
    times the peak, again and again (Loshchilov & Hutter, ICLR 2017)."""
    step_from: PositiveInt = 10
    step_epochs: PositiveInt = 10
    step_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    restart_epochs: PositiveInt = 10
    floor: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Of ``restarts``: the lowest learning rate as a share of the peak."""
    warmup: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the steps over which the learning rate rises linearly."""
    clip_norm: PositiveFloat | None = 5.0
    """Largest norm of the gradient; ``"none"``: as large as it comes."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @field_validator("clip_norm", mode="before")
    @classmethod
    def _no_clipping_by_name(cls, value: object) -> object:
        """TOML has no null."""
        return None if value == "none" else value


class TrainingSettings(OptimiserSettings):
    """The training loop."""

    epochs: int = Field(default=40, ge=0)
    """0: nothing but the linear probe."""
    probe: bool = False
    """Fit the classifier on frozen embeddings first, by l2-regularised logistic regression
    (LP-FT: Kumar et al., ICLR 2022); its strength is chosen by cross-fitting over speakers."""
    freeze: tuple[str, ...] = ()
    """Parts of the student that are not trained, by the beginning of their parameters' names."""
    rates: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Factors on the learning rate of parts of the student, by the beginning of their names."""
    average: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay of an exponential moving average of the weights that is used for evaluation; 0: off."""
    early_stopping: bool = False
    """Stop an inner fit after ``patience`` epochs without a better UA on inner validation; the
    refit then takes the mean best epoch."""
    patience: PositiveInt = 15

    @model_validator(mode="after")
    def _something_is_fitted(self) -> TrainingSettings:
        if self.epochs == 0 and not self.probe:
            msg = "epochs = 0 trains nothing; give 1 or more, or set probe = true"
            raise ValueError(msg)
        return self


class PretrainSettings(OptimiserSettings):
    """Label-free distillation on ``--pretrain-audio``, before any fold."""

    objective: str | None = None
    """A loss of the registry that reads a teacher's frames alone, such as ``frames``; ``"none"``,
    the default: the student is not pretrained."""
    teachers: tuple[str, ...] = ()
    """Which teachers of the run it reads; empty: all."""
    epochs: PositiveInt = 20
    """In each, as many windows are drawn as fit into the audio end to end."""
    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 2e-3

    @field_validator("objective", mode="before")
    @classmethod
    def _none_by_name(cls, value: object) -> object:
        """TOML has no null."""
        return None if value == "none" else value


class HeadSettings(Params):
    """A teacher's head: multinomial logistic regression on its pooled embeddings."""

    soft_targets: Literal["cross-fit", "in-sample"] = "cross-fit"
    groups: int = Field(default=5, ge=2)
    """K of the cross-fitting, in groups of training speakers."""
    strengths: tuple[PositiveFloat, ...] = (0.001, 0.01, 0.1, 1.0, 10.0)
    """Inverse L2 penalties C to choose from by cross-fitted log-likelihood."""


PROPER = "speaker-independent"

ProtocolName = Literal[
    "speaker-independent",
    "leaky-random",
    "leaky-early-stopping",
    "leaky-random-early-stopping",
    "leaky-normaliser",
    "leaky-search",
]

RANDOM_FOLDS: frozenset[ProtocolName] = frozenset({"leaky-random", "leaky-random-early-stopping"})
"""Protocols that deal utterances into folds without regard to speakers."""

EPOCH_ON_TEST: frozenset[ProtocolName] = frozenset(
    {"leaky-early-stopping", "leaky-random-early-stopping"}
)
"""Protocols that keep the epoch with the best UA on the outer test side."""


class ProtocolSettings(Params):
    """Nested cross-validation, and the deliberately broken protocols that show its worth."""

    name: ProtocolName = PROPER
    """A ``leaky-…`` one is broken on purpose: its results are marked and never compared."""
    folds: str | None = None
    """A named fold set of the corpus, ``loso``, ``kfold``, ``official`` (its own split), or a fold
    file; None: the dataset's."""
    kfold: int = Field(default=5, ge=2)
    """Number of folds of ``kfold``."""
    inner: int | Literal["units"] = "units"
    """Inner folds: a number (grouped by outer fold units), or one per remaining outer fold. Where
    there is a single outer fold: the corpus's own validation part, else five folds of units."""
    search: str | None = None
    """Name of the method's grid to search over; None: no inner search."""
    seeds: PositiveInt = 1
    group_by: Literal["unit", "text"] = "unit"
    """``text``: training hears neither a fold's test units nor any sentence that they speak."""
    text_groups: int = Field(default=2, ge=2)
    """Groups that ``group_by = "text"`` deals the sentences into; each is tested by itself."""
    duplicates: Literal["error", "drop", "group"] = "error"
    """Copies of one recording. ``error``: none may be on both sides; ``drop``: all but the first
    are left out of the corpus; ``group``: ``loso`` and ``kfold`` keep their units together."""
    allow_pretraining_overlap: bool = False
    """Go on with a teacher that was trained on the corpus; every table then says so."""
    canary: int = Field(default=0, ge=0, le=100)
    """Repeats of the whole pipeline on permuted labels; 0: none. ``--canary`` is 5."""

    @property
    def leaky(self) -> bool:
        """Whether it is one of the deliberately broken protocols."""
        return self.name != PROPER


class MethodSettings(Params):
    """The settings of one method in one run."""

    segments: SegmentSettings = SegmentSettings()
    augment: AugmentSettings = AugmentSettings()
    training: TrainingSettings = TrainingSettings()
    pretrain: PretrainSettings = PretrainSettings()
    head: HeadSettings = HeadSettings()

    @model_validator(mode="after")
    def _crops_are_random_windows(self) -> MethodSettings:
        if self.augment.crops and self.segments.cut == "centre":
            msg = (
                "augment.crops are random windows, and segments.cut = 'centre' takes the middle of "
                "each utterance; take one of the two"
            )
            raise ValueError(msg)
        return self


__all__ = [
    "AugmentSettings",
    "HeadSettings",
    "MethodSettings",
    "OptimiserSettings",
    "PretrainSettings",
    "ProtocolSettings",
    "SegmentSettings",
    "TrainingSettings",
]
