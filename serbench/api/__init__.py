"""The public contract: what plugins and the core share.

Everything else in ``serbench`` except ``serbench.testing`` is private to the core. ``VERSION`` is
the version of both, ``"MAJOR.MINOR"``.
"""

from serbench.api.backend import Backend, DeployedModel, Predictor, WaveformPredictor, Waveforms
from serbench.api.corpus import Advance, Corpus, CorpusCard, Source, UtteranceRecord
from serbench.api.estimator import Estimator, EstimatorParams
from serbench.api.events import EpochEvent, FoldEvent, PooledScore, RunEvent
from serbench.api.front_end import Framing, FrontEnd, FrontEndParams, Hears
from serbench.api.json_text import read_json, utf8_text
from serbench.api.loss import Batch, Loss, LossShape, LossTerms, Need
from serbench.api.markers import hookimpl
from serbench.api.offline import is_offline
from serbench.api.params import Params
from serbench.api.student import Student, StudentOutput, StudentShape, Windows
from serbench.api.teacher import Teacher, TeacherCard, TeacherFeatures
from serbench.api.torchaudio_compat import import_torchaudio
from serbench.api.tracker import Tracker
from serbench.api.version import VERSION
from serbench.errors import (
    CorpusError,
    LeakageError,
    ModelError,
    PluginError,
    RegistryError,
    SerbenchDeprecationWarning,
    SerbenchError,
    SplitError,
    StoreError,
    TeacherError,
    WaveformError,
)
from serbench_runtime.audio.folders import (
    AUDIO_ENDINGS,
    AudioFolder,
    LeftOut,
    audio_below,
    is_hidden,
    plain_name,
)
from serbench_runtime.file_kinds import stands_in
from serbench_runtime.waveform import SAMPLE_RATE_HZ

__all__ = [
    "AUDIO_ENDINGS",
    "SAMPLE_RATE_HZ",
    "VERSION",
    "Advance",
    "AudioFolder",
    "Backend",
    "Batch",
    "Corpus",
    "CorpusCard",
    "CorpusError",
    "DeployedModel",
    "EpochEvent",
    "Estimator",
    "EstimatorParams",
    "FoldEvent",
    "Framing",
    "FrontEnd",
    "FrontEndParams",
    "Hears",
    "LeakageError",
    "LeftOut",
    "Loss",
    "LossShape",
    "LossTerms",
    "ModelError",
    "Need",
    "Params",
    "PluginError",
    "PooledScore",
    "Predictor",
    "RegistryError",
    "RunEvent",
    "SerbenchDeprecationWarning",
    "SerbenchError",
    "Source",
    "SplitError",
    "StoreError",
    "Student",
    "StudentOutput",
    "StudentShape",
    "Teacher",
    "TeacherCard",
    "TeacherError",
    "TeacherFeatures",
    "Tracker",
    "UtteranceRecord",
    "WaveformError",
    "WaveformPredictor",
    "Waveforms",
    "Windows",
    "audio_below",
    "hookimpl",
    "import_torchaudio",
    "is_hidden",
    "is_offline",
    "plain_name",
    "read_json",
    "stands_in",
    "utf8_text",
]
