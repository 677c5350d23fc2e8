"""A small hybrid student with random weights that comes with audio to calibrate on.

It is made once for all tests of a process: exporting takes seconds.
"""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from serbench.api import StudentShape
from serbench.device.export.deployed import Deployed, Trained
from serbench.learning.features import Normaliser
from serbench.settings import SegmentSettings
from serbench_akd.hybrid import Hybrid, HybridParams
from tests_support.front_ends import LOG_MEL
from tests_support.tiny_model import LABELS, utterances


@cache
def hybrid_model() -> Deployed:
    """With windows of 0.5 s that overlap by 0.1 s, and eight utterances of 0.3 to 1.7 s."""
    folder = TemporaryDirectory(prefix="serbench-hybrid-")
    atexit.register(folder.cleanup)
    params = HybridParams(stem_channels=(16, 32), blocks=1, time_blocks=1, fused_dim=96)
    student = Hybrid(params)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = student.build(StudentShape(len(LABELS)))
        nn.init.normal_(network.get_submodule("classify").weight, std=0.1)  # pyright: ignore[reportArgumentType]
    trained = Trained(
        name="hybrid",
        student=student,
        network=network.eval(),
        normaliser=Normaliser(torch.full((40,), -6.0), torch.full((40,), 2.0)),
        labels=LABELS,
        front_end=LOG_MEL,
        segments=SegmentSettings(window_s=0.5, overlap_s=0.1),
        provenance={},
    )
    return trained.write(Path(folder.name), [utterances(1, 0.3 + 0.2 * n)[0] for n in range(8)])
