"""The one training loop: every student, every loss, every fold."""

from serbench.fit.loop import fit
from serbench.fit.predict import predict
from serbench.fit.task import FitResult, FitTask, TeacherSignal

__all__ = ["FitResult", "FitTask", "TeacherSignal", "fit", "predict"]
