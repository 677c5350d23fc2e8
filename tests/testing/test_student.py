from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from serbench.api import Hears, Params, Student, StudentOutput, StudentShape
from serbench.testing import ProbeStudent, check_student, student_checks


def student_of(build: Callable[[StudentShape], nn.Module]) -> type[Student]:
    members = {"name": "s", "Params": Params, "build": lambda _, shape: build(shape)}
    return type("S", (Student,), members)


def probe(shape: StudentShape) -> ProbeStudent:
    return ProbeStudent(shape.num_classes, shape.n_mels)


def test_a_good_student_passes() -> None:
    check_student(student_of(probe))


def changed(change: Callable[[StudentOutput], StudentOutput]) -> type[Student]:
    class Changed(ProbeStudent):
        def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
            return change(super().forward(features, lengths))

    return student_of(lambda shape: Changed(shape.num_classes))


class Unmasked(ProbeStudent):
    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        return super().forward(features, torch.full_like(lengths, features.shape[3]))


class TrustsZeros(ProbeStudent):
    """Pools over real frames, but convolves over whatever the padding holds."""

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        output = super().forward(features, lengths)
        hidden = torch.relu(self.convolution(features.flatten(1, 2))) * output.last_mask[:, None]
        logits = self.classifier(hidden.sum(dim=2) / lengths[:, None])
        return replace(output, logits=logits)


class Unused(ProbeStudent):
    def __init__(self, num_classes: int = 4) -> None:
        super().__init__(num_classes)
        self.idle = nn.Parameter(torch.randn(3))


class Hidden(ProbeStudent):
    """Keeps something that matters outside of its state_dict."""

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__(num_classes)
        self.offset = torch.randn(1)

    def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
        output = super().forward(features, lengths)
        return replace(output, logits=output.logits + self.offset)


class Unseeded(ProbeStudent):
    def __init__(self, num_classes: int = 4) -> None:
        super().__init__(num_classes)
        generator = torch.Generator()
        generator.seed()
        self.classifier.weight.data.normal_(generator=generator)


class Constant(ProbeStudent):
    def __init__(self, num_classes: int = 4) -> None:
        super().__init__(num_classes)
        for parameter in self.parameters():
            parameter.data.fill_(0.01)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Unmasked, "the mask of .* is True on padding"),
        (TrustsZeros, "padding of 100 changes the logits"),
        (Unused, "no gradient of the logits reaches idle"),
        (Hidden, "neither a parameter nor a buffer"),
        (Unseeded, "classifier.weight differ under the same seed"),
        (Constant, "do not depend on the seed"),
    ],
)
def test_a_broken_network_is_told(network: type[ProbeStudent], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_student(student_of(lambda shape: network(shape.num_classes)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: o.logits, "what forward returns must be a StudentOutput"),
        (lambda o: replace(o, logits=o.logits[:, :1]), r"logits must be \(3, 2\), not \(3, 1\)"),
        (lambda o: replace(o, logits=o.logits / 0), "must be finite"),
        (lambda o: replace(o, embedding=o.last_map), r"embedding must be \(N, E\)"),
        (lambda o: replace(o, masks=()), "each map needs one mask, but there are 0 masks for 1"),
        (lambda o: replace(o, maps=(o.last_map[:, :, 0],)), r"maps\[0\] must be \(N, channels"),
        (lambda o: replace(o, last_mask=o.last_mask[:, 1:]), "the mask of last_map must be"),
        (lambda o: replace(o, last_mask=o.last_mask.float()), "must be bool"),
        (lambda o: StudentOutput(o.logits, o.embedding, last_mask=o.last_mask), "last_map must be"),
    ],
)
def test_a_broken_output_is_told(
    change: Callable[[StudentOutput], StudentOutput], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_student(changed(change))


def test_a_student_of_logits_and_embedding_passes() -> None:
    check_student(changed(lambda output: StudentOutput(output.logits, output.embedding)))


def test_all_that_is_broken_is_told_at_once() -> None:
    class Broken(Unused, Unmasked):
        pass

    with pytest.raises(AssertionError) as raised:
        check_student(student_of(lambda shape: Broken(shape.num_classes)))
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "output of 30 frames and 2 classes; output of 157 frames and 4 classes; "
        "output of 400 frames and 8 classes",
        "padding",
        "gradients",
    ]


def test_checks_have_names_of_their_own() -> None:
    checks = list(student_checks(student_of(probe)))
    assert len({str(check) for check in checks}) == len(checks) == 9
    for check in checks:
        check()


def test_what_all_plugins_need_is_told() -> None:
    nameless = student_of(probe)
    nameless.name = ""  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AssertionError, match=r"S\.name must be"):
        check_student(nameless)
    with pytest.raises(AssertionError, match=r"S\.Params does not take"):
        check_student(student_of(probe), {"width": 3})
    with pytest.raises(AssertionError, match="lacks build"):
        check_student(type("S", (Student,), {"name": "s", "Params": Params}))
    with pytest.raises(AssertionError, match=r"the result of S\.build must be a Module"):
        check_student(student_of(lambda shape: shape))  # pyright: ignore[reportArgumentType]


def test_a_student_is_built_for_what_it_hears() -> None:
    shapes: list[StudentShape] = []

    class Waves(nn.Module):
        def __init__(self, shape: StudentShape) -> None:
            super().__init__()
            shapes.append(shape)
            self.classify = nn.Linear(shape.channels * shape.n_mels, shape.num_classes)

        def forward(self, features: Tensor, lengths: Tensor) -> StudentOutput:
            real = torch.arange(features.shape[3]) < lengths[:, None]
            heard = torch.where(real[:, None, None], features, 0.0)
            embedding = (heard.sum(dim=3) / lengths[:, None, None]).flatten(1)
            return StudentOutput(self.classify(embedding), embedding)

    student = student_of(Waves)
    student.hears = Hears("waveform", {"hop_s": 0.02})  # pyright: ignore[reportAttributeAccessIssue]
    check_student(student)
    assert {(shape.channels, shape.n_mels) for shape in shapes} == {(1, 320)}
    student.hears = Hears("whisper", {"n_mels": 13})  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AssertionError, match=r"S\.hears asks for .* should be 80 or 128"):
        check_student(student)
    student.hears = Hears("nothing")  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AssertionError, match=r"S\.hears asks for .* no front end is called"):
        check_student(student)
    student.hears = {"kind": "whisper"}  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AssertionError, match=r"S\.hears must be a Hears"):
        check_student(student)
