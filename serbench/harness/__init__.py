"""Algorithm 1 of the protocol: nested, grouped, paired, sealed, certified."""

from serbench.harness.canary import pooled_ua
from serbench.harness.folds import Folds, copies_in_audio, make_folds
from serbench.harness.inputs import load_dataset
from serbench.harness.observer import Observer
from serbench.harness.resources import Resources
from serbench.harness.run import audio_record, run, run_digest

__all__ = [
    "Folds",
    "Observer",
    "Resources",
    "audio_record",
    "copies_in_audio",
    "load_dataset",
    "make_folds",
    "pooled_ua",
    "run",
    "run_digest",
]
