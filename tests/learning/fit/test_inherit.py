"""Students that inherit: what they hear before any training, with unlabelled audio and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests_support.pretraining import Heir, HeirParams, hinted
from tests_support.runs import fit_task, frames_of
from tests_support.tables import noise_table
from torch import Tensor, nn

from serbench.api import EpochEvent, PluginError
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import Frames
from serbench.learning.fit.inherit import inherit
from serbench.learning.fit.loop import fit
from serbench.learning.fit.pretrain import pretrain
from serbench.learning.fit.task import FitTask, InitialState, PretrainTask
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import AugmentSettings, TrainingSettings

STILL = TrainingSettings(epochs=1, batch_size=4, learning_rate=1e-12, precision="fp32")
LOUD = AugmentSettings(time_masks=2, mel_masks=2, gain_db=30.0)


def silent(_: EpochEvent) -> None:
    pass


class Noting(Heir):
    """Keeps what it heard."""

    def heard(self, features: Tensor, lengths: Tensor) -> None:
        self.all = [*getattr(self, "all", []), (features, lengths)]

    @property
    def windows(self) -> int:
        return sum(len(lengths) for _, lengths in self.all)


def noting() -> Noting:
    return Noting(HeirParams())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorpusTable, Frames]:
    root = tmp_path_factory.mktemp("inherit")
    table = noise_table(root / "noise", speakers=3, utterances=2)
    return table, frames_of(table, root / "features")


@pytest.fixture
def plain(corpus: tuple[CorpusTable, Frames]) -> FitTask:
    """A fit of the other speakers' utterances, augmented beyond recognition, that hardly trains."""
    table, frames = corpus
    chosen = hinted(hint=False, student=noting())
    settings = chosen.settings.model_copy(update={"training": STILL, "augment": LOUD})
    chosen = replace(chosen, settings=settings)
    return fit_task(table, outer_splits(table, "loso", 5)[0], frames, chosen)


def expected(student: Noting) -> Tensor:
    """The mean over windows of their mean frame."""
    means = [f.sum(dim=3).flatten(1) / n[:, None] for f, n in student.all]
    return torch.cat(means).mean(dim=0)


def test_a_fit_inherits_from_its_training_partition_and_says_so(plain: FitTask) -> None:
    student = noting()
    task = replace(plain, student=student)
    result = fit(task, silent)
    assert student.windows == len(task.train.ids)
    weight = result.state["project.weight"]
    torch.testing.assert_close(weight[:, :, 0], expected(student).expand_as(weight[:, :, 0]))
    (record,) = [r for r in result.fitted if r.what == f"inheritance of {task.method}"]
    assert record.utterances == len(task.train.ids)
    assert record.partition == task.train.name


def test_windows_are_not_augmented(plain: FitTask) -> None:
    """Normalised frames have a deviation of about 1; a gain of up to 30 dB shifts them by far."""
    student = noting()
    fit(replace(plain, student=student), silent)
    for features, lengths in student.all:
        for window, length in zip(features, lengths, strict=True):
            static = window[0, :, :length]
            assert float(static.abs().max()) < 8.0
            assert bool((static != 0.0).all())  # no mask


def test_a_fit_that_starts_from_something_does_not_inherit(plain: FitTask) -> None:
    given = fit(replace(plain, student=noting()), silent).state
    initial = InitialState(
        {name: value for name, value in given.items() if not name.startswith("normaliser.")}, {}
    )
    student = noting()
    result = fit(replace(plain, student=student, initial=initial), silent)
    assert not hasattr(student, "all")
    whats = [record.what for record in result.fitted]  # of both
    assert whats.count(f"inheritance of {plain.method}") == 1
    assert whats.count(f"student of {plain.method}") == 2


def pretraining(student: Noting, task: FitTask) -> PretrainTask:
    return PretrainTask(
        name="heir/seed-0/pretraining", key="0" * 64, student=student, loss=None,
        settings=task.settings, front_end=task.front_end, num_classes=2, features=task.features,
        teachers=(), seed=3, device="cpu",
    )  # fmt: skip


def test_without_an_objective_inheriting_is_all_there_is(plain: FitTask) -> None:
    student = noting()
    result = pretrain(pretraining(student, plain), silent)
    assert result.history == ()
    assert not result.state.loss
    weight = result.state.student["project.weight"]
    torch.testing.assert_close(weight[:, :, 0], expected(student).expand_as(weight[:, :, 0]))
    again = noting()
    same = pretrain(pretraining(again, plain), silent)
    assert all(torch.equal(v, same.state.student[k]) for k, v in result.state.student.items())


def test_how_much_is_heard_changes_nothing_that_is_drawn_later(plain: FitTask) -> None:
    class Deaf(Noting):
        def inherit(self, network: nn.Module, speech: object) -> None:
            """Hears nothing."""

    class Patient(Noting):
        def inherit(self, network: nn.Module, speech: object) -> None:
            assert isinstance(speech, object)
            list(speech)  # pyright: ignore[reportArgumentType, reportCallIssue]

    deaf, patient = (
        fit(replace(plain, student=cls(HeirParams())), silent) for cls in (Deaf, Patient)
    )
    assert deaf.history == patient.history
    np.testing.assert_array_equal(deaf.posteriors, patient.posteriors)


def test_replaced_parameters_are_refused(plain: FitTask) -> None:
    class Replaces(Noting):
        def inherit(self, network: nn.Module, speech: object) -> None:
            project = network.get_submodule("project")
            project.weight = nn.Parameter(torch.zeros_like(network.get_parameter("project.weight")))

    with pytest.raises(PluginError, match=r"student 'heir': inherit replaced parameters"):
        fit(replace(plain, student=Replaces(HeirParams())), silent)


def test_a_student_may_stop_listening(plain: FitTask) -> None:
    class Hasty(Noting):
        def inherit(self, network: nn.Module, speech: object) -> None:
            self.heard(*next(iter(speech)))  # pyright: ignore[reportArgumentType, reportCallIssue]

    student = Hasty(HeirParams())
    fit(replace(plain, student=student), silent)
    assert student.windows == STILL.batch_size
    inherit(student, nn.Linear(1, 1), iter([(torch.zeros(1), torch.zeros(1))]))
    assert student.windows == STILL.batch_size + 1


def test_audio_is_heard_by_the_run_s_own_batches(plain: FitTask) -> None:
    student = noting()
    pretrain(pretraining(student, plain), silent)
    frames: Frames = plain.features
    size = round(plain.settings.segments.window_s * frames.rate_hz)
    batch = plain.settings.pretrain.batch_size
    assert student.windows == max(1, int(frames.count.sum()) // size // batch) * batch
