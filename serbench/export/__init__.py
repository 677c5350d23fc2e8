"""From a trained student to one file that needs nothing but ONNX Runtime."""

from serbench.export.deployed import Deployed, Trained
from serbench.export.graph import METADATA
from serbench.export.stored import calibration_audio, stored_model
from serbench.export.windows import WindowPlan

__all__ = ["METADATA", "Deployed", "Trained", "WindowPlan", "calibration_audio", "stored_model"]
