"""Every setting of a run, with its default, bounds and unit.

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
    """Windows (Algorithm 2): one random crop per epoch in training, sliding windows in evaluation.

    A front end that gives one row per utterance uses each utterance as one window.
    """

    window_s: PositiveFloat = 3.0
    overlap_s: NonNegativeFloat = 0.5
    cut: Literal["sliding", "centre"] = "sliding"
    """``centre``: the middle of an utterance is its only window, in training and in evaluation."""


class AugmentSettings(Params):
    """Augmentation of training windows. SpecAugment masks (Park et al., Interspeech 2019)."""

    time_masks: int = Field(default=2, ge=0)
    time_mask_s: NonNegativeFloat = 0.30
    mel_masks: int = Field(default=2, ge=0)
    mel_mask_bins: int = Field(default=6, ge=0)
    gain_db: NonNegativeFloat = 6.0
    """Each window is made louder or softer by a uniform draw of up to this many decibels."""
    crops: int = Field(default=0, ge=0, le=32)
    """Number of fixed random crops per utterance, of ``segments.window_s`` and each with its own
    gain, instead of random windows. Teachers get the same crops, with an output for each; masks
    apply to the student only. 0: new random windows each epoch, and teachers' outputs for whole
    utterances.
    """
    speed: float = Field(default=0.0, ge=0.0, le=0.5)
    """For crops: each is played faster or slower, and so higher or lower, by up to this share."""

    @model_validator(mode="after")
    def _speed_is_of_crops(self) -> AugmentSettings:
        if self.speed and not self.crops:
            msg = "speed applies to crops: set crops to 1 or more, or leave speed at 0"
            raise ValueError(msg)
        return self


class OptimiserSettings(Params):
    """How the optimiser updates weights."""

    batch_size: int = Field(default=32, ge=2)
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    optimizer: Literal["adam", "adamw"] = "adamw"
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Adam's decay rates for the means of gradients and of their squares."""
    accumulate: PositiveInt = 1
    """Batches whose mean gradient makes one step; the last step of an epoch may have fewer."""
    schedule: Literal["constant", "cosine", "step", "restarts"] = "cosine"
    """``cosine``: from the peak to zero. ``step``: multiplied by ``step_factor`` at epoch
    ``step_from`` and every ``step_epochs`` epochs after it. ``restarts``: a repeated cosine from
    the peak to ``floor`` times the peak (Loshchilov & Hutter, ICLR 2017).
    """
    step_from: PositiveInt = 10
    step_epochs: PositiveInt = 10
    step_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    restart_epochs: PositiveInt = 10
    floor: float = Field(default=0.0, ge=0.0, lt=1.0)
    """For ``restarts``: the lowest learning rate as a share of the peak."""
    warmup: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the steps over which the learning rate rises linearly."""
    clip_norm: PositiveFloat | None = 5.0
    """Largest norm of the gradient; ``"none"``: no clipping."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: PositiveInt = Field(default=1, exclude_if=lambda value: value == 1)
    """Threads of a fit on the CPU. Another number may change the last digits of results, so that it
    is part of the run. One thread each for several fits at once is faster; more help only where
    memory allows few fits at once.
    """

    @field_validator("clip_norm", mode="before")
    @classmethod
    def _no_clipping_by_name(cls, value: object) -> object:
        """Read ``"none"`` as None, because TOML has no null."""
        return None if value == "none" else value


class TrainingSettings(OptimiserSettings):
    """The training loop."""

    epochs: int = Field(default=40, ge=0)
    """0: only the linear probe."""
    probe: bool = False
    """Fit the classifier on frozen embeddings first, by l2-regularised logistic regression
    (LP-FT: Kumar et al., ICLR 2022); its strength is chosen by cross-fitting over speakers."""
    freeze: tuple[str, ...] = ()
    """Parts of the student that are not trained, by prefixes of their parameters' names."""
    rates: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Factors on the learning rate of parts of the student, by prefixes of parameters' names."""
    average: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay of an exponential moving average of the weights, used for evaluation; 0: off."""
    early_stopping: bool = False
    """Stop an inner fit after ``patience`` epochs without a better UA on inner validation. The
    refit then trains for the mean best epoch.
    """
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
    """A loss of the registry that uses only a teacher's frames, such as ``frames``. ``"none"``, the
    default: students are not pretrained.
    """
    teachers: tuple[str, ...] = ()
    """Teachers of the run whose frames are used; empty: all."""
    epochs: PositiveInt = 20
    """In each epoch, as many windows are drawn as fit into the audio end to end."""
    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 2e-3

    @field_validator("objective", mode="before")
    @classmethod
    def _none_by_name(cls, value: object) -> object:
        """Read ``"none"`` as None, because TOML has no null."""
        return None if value == "none" else value


class HeadSettings(Params):
    """A teacher's head: multinomial logistic regression on its pooled embeddings."""

    soft_targets: Literal["cross-fit", "in-sample"] = "cross-fit"
    groups: int = Field(default=5, ge=2)
    """K of the cross-fitting, over groups of training speakers."""
    strengths: tuple[PositiveFloat, ...] = (0.001, 0.01, 0.1, 1.0, 10.0)
    """Inverse L2 penalties C to choose from, by cross-fitted log-likelihood."""


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
"""Protocols that assign utterances to folds without regard to speakers."""

EPOCH_ON_TEST: frozenset[ProtocolName] = frozenset(
    {"leaky-early-stopping", "leaky-random-early-stopping"}
)
"""Protocols that keep the epoch with the best UA on the outer test side."""


SAMPLERS = ("random", "tpe")
"""Searches that try some candidates; each is a sampler of Optuna."""

STRATEGIES = ("halving", *SAMPLERS)
"""Searches that make fewer fits than a grid has."""


class ProtocolSettings(Params):
    """Nested cross-validation, and protocols that leak on purpose to show why it is needed."""

    name: ProtocolName = PROPER
    """A ``leaky-…`` protocol is broken on purpose: its results are marked and never compared."""
    folds: str | None = None
    """A named fold set of the corpus, ``loso``, ``kfold``, ``official`` (its own split), or a fold
    file. None: the dataset's own. If there are several official test sets, the main tables are
    about the first.
    """
    kfold: int = Field(default=5, ge=2)
    """Number of folds of ``kfold``."""
    inner: int | Literal["units"] = "units"
    """Inner folds: a number (grouped by outer fold units), or one per remaining outer fold. With a
    single outer fold: the corpus's own validation part, else five folds of units.
    """
    search: str | None = None
    """Name of the method's grid to search; None: no inner search. ``halving:GRID``: successive
    halving over inner folds; ``random:GRID``, ``tpe:GRID``: samplers of Optuna, which try some of
    the grid's candidates. A strategy alone takes the profile's grid.
    """
    trials: PositiveInt | None = Field(default=None, exclude_if=lambda value: value is None)
    """Candidates that ``random`` or ``tpe`` tries in each outer fold. None: as many as the grid of
    the profile has.
    """
    seeds: PositiveInt = 1
    group_by: Literal["unit", "text"] = "unit"
    """``text``: training has neither a fold's test units nor any sentence that they speak."""
    text_groups: int = Field(default=2, ge=2)
    """Groups that ``group_by = "text"`` divides the sentences into; each is tested separately."""
    duplicates: Literal["error", "drop", "group"] = "error"
    """Copies of one recording. ``error``: a copy on both sides of a fold stops the run. ``drop``:
    all but the first are left out of the corpus. ``group``: ``loso`` and ``kfold`` keep their units
    together.
    """
    allow_pretraining_overlap: bool = False
    """Use a teacher that was trained on the corpus; every table then says so."""
    canary: int = Field(default=0, ge=0, le=100)
    """Repeats of the whole pipeline on permuted labels; 0: none. ``--canary`` is 5."""

    @property
    def strategy(self) -> str:
        """How the grid is searched: ``grid`` for all of it, or one of ``STRATEGIES``."""
        strategy, colon, _ = (self.search or "").rpartition(":")
        return strategy if colon else "grid"

    @property
    def grid(self) -> str | None:
        """The grid's name in ``search``; None or empty: nothing is searched."""
        return (self.search or "").rpartition(":")[2] or None

    @property
    def leaky(self) -> bool:
        """Whether the protocol is broken on purpose."""
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
                "augment.crops draws random windows, but segments.cut = 'centre' takes the "
                "middle of each utterance: choose one"
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
