"""From a trained student to one file that needs nothing but ONNX Runtime."""

from serbench.export.deployed import Deployed, Trained
from serbench.export.file import check_replaceable, export_file
from serbench.export.parity import PARITY, Parity, check_parity
from serbench.export.source import ExportSource, default_name, export_source
from serbench.export.stored import calibration_audio, stored_model
from serbench.windows import WindowPlan

__all__ = [
    "PARITY",
    "Deployed",
    "ExportSource",
    "Parity",
    "Trained",
    "WindowPlan",
    "calibration_audio",
    "check_parity",
    "check_replaceable",
    "default_name",
    "export_file",
    "export_source",
    "stored_model",
]
