"""The one training loop: every student, every loss, every fold."""

from serbench.fit.loop import fit
from serbench.fit.predict import predict
from serbench.fit.pretrain import PretrainResult, PretrainTask, TeacherFrames, pretrain
from serbench.fit.task import FitResult, FitTask, InitialState, TeacherSignal

__all__ = [
    "FitResult",
    "FitTask",
    "InitialState",
    "PretrainResult",
    "PretrainTask",
    "TeacherFrames",
    "TeacherSignal",
    "fit",
    "predict",
    "pretrain",
]
