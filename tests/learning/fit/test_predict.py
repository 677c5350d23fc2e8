from __future__ import annotations

import numpy as np
import pytest
import torch
from tests_support.runs import LinearNetwork, frames_of
from tests_support.tables import noise_table

from serbench.api import StudentShape
from serbench.data.corpus.table import CorpusTable
from serbench.learning.features import Frames, Normaliser, student_input
from serbench.learning.fit.predict import predict
from serbench.learning.segments import Cutting, segment_partition
from serbench.protocol.splits.outer import outer_splits
from serbench.settings import SegmentSettings
from serbench_backends.torch import TorchBackend, TorchParams

WINDOWS = SegmentSettings(window_s=0.5, overlap_s=0.1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CorpusTable:
    return noise_table(tmp_path_factory.mktemp("predict") / "noise", speakers=2, utterances=20)


@pytest.fixture(scope="module")
def frames(table: CorpusTable) -> Frames:
    return frames_of(table, table.folder.parent / "features")


def test_an_utterance_gets_the_mean_posterior_of_its_windows(
    table: CorpusTable, frames: Frames
) -> None:
    test = outer_splits(table, "loso", 5)[1].test
    segments = segment_partition(table, test, Cutting(WINDOWS.window_s, WINDOWS.overlap_s))
    assert len(segments) > 64  # more than one batch
    torch.manual_seed(0)
    student = LinearNetwork(StudentShape(2)).train()
    normaliser = Normaliser(torch.linspace(-8, -4, 40), torch.linspace(1, 2, 40))
    backend = TorchBackend(TorchParams())
    ids, posteriors = predict(
        student, normaliser, frames, segments, WINDOWS, backend, torch.device("cpu")
    )
    assert ids == test.ids
    assert posteriors.dtype == np.float32
    for number in (0, 7, len(ids) - 1):
        place = frames.ids.index(ids[number])
        whole = frames.values[frames.start[place] :][: frames.count[place]]
        expected = []
        for segment in (s for s in segments if s.utt_id == ids[number]):
            first = min(round(segment.t_start_s * 100), len(whole) - 1)
            window = torch.from_numpy(np.array(whole[first : first + 50]))[None]
            lengths = torch.tensor([window.shape[1]])
            x = student_input(normaliser(window), lengths)
            with torch.no_grad():
                expected.append(student(x, lengths).logits.softmax(-1)[0].numpy())
        assert len(expected) > 1
        np.testing.assert_allclose(posteriors[number], np.mean(expected, axis=0), atol=1e-5)


def test_windows_of_a_sealed_side_carry_no_label(table: CorpusTable) -> None:
    test = outer_splits(table, "loso", 5)[0].test
    segments = segment_partition(table, test, Cutting(0.5, 0.1))
    assert {segment.label for segment in segments} == {None}
