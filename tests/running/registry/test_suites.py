from __future__ import annotations

from pathlib import Path

import pytest

from serbench.api import RegistryError
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry, entries
from serbench.running.registry.schema import ChangesSpec, MethodSpec
from serbench.running.registry.suites import suite_method
from serbench.running.registry.toml_text import dump_toml

PLUGINS = load_plugins()

GOOD = """\
[suites.two]
summary = "s"
methods = ["hybrid", "transformer"]
left_out = { transformer = "takes long" }
notes = ["n"]
claims = [
    { method = "hybrid", dataset = "emodb", wa = 95.7, ua = 95.17, source = "p", protocol = "q", \
leaks = ["R", "B?", "?"] },
]
[suites.two.datasets.ravdess.methods]
hybrid = { settings = { training = { epochs = 3 } } }
"""
CLAIM = '[suites.two]\nclaims = [{{ source = "p", protocol = "q", {} }}]'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(*texts: str) -> Registry:
    """Each text laid over the one before."""
    Path("o.toml").write_text("\n".join(texts))
    return load_registry(PLUGINS, Path("o.toml"))


def test_a_suite_is_read_and_can_be_shown_and_read_again() -> None:
    registry = load(GOOD)
    suite = registry.suite("two")
    assert suite.methods == ("hybrid", "transformer")
    assert suite.left_out == {"transformer": "takes long"}
    assert (suite.claims[0].wa, suite.claims[0].ua) == (95.7, 95.17)
    assert suite.claims[0].leaks == ("R", "B?", "?")
    shown = entries(registry, "suites.two")
    assert load(dump_toml(shown)).suite("two") == suite
    with pytest.raises(RegistryError, match="no suite is called 'tow'; did you mean 'two'"):
        registry.suite("tow")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CLAIM.format('method = "hybrid", dataset = "emodb", ua = 90.0, leaks = ["R", "X"]'),
            "suites.two.claims.0: no leak has the letter 'X'; use R, E, S, H, B, V, ?, or a letter "
            "followed by ? for a suspected one",
        ),
        (
            CLAIM.format('method = "hybrid", dataset = "emodb"'),
            "suites.two.claims.0: a claim has wa, ua or both, in per cent",
        ),
        (
            CLAIM.format('method = "hybrid", dataset = "emodb", ua = 0.95'),
            "suites.two.claims.0.ua: should be greater than or equal to 1, not 0.95",
        ),
        (
            CLAIM.format('method = "akd", dataset = "emodb", ua = 90.0'),
            "suites.two.claims: no method of the suite is 'akd'; known: hybrid, transformer",
        ),
        (
            CLAIM.format('method = "hybrid", dataset = "raavdess", ua = 90.0'),
            "suites.two.claims: no dataset is called 'raavdess'; did you mean 'ravdess'?",
        ),
        (
            "[suites.two.left_out]\nhybird = 'long'",
            "suites.two.left_out: no method of the suite is 'hybird'; did you mean 'hybrid'?",
        ),
        (
            "[suites.two.datasets.ravdess.methods]\nhybrid = { loss_params = { smoothing = 1 } }",
            "suites.two.datasets.ravdess.methods.hybrid.loss_params.smoothing: unknown key; did "
            "you mean 'label_smoothing'?",
        ),
        (
            "[suites.two.datasets.ravdes]",
            "suites.two.datasets: no dataset is called 'ravdes'; did you mean 'ravdess'?",
        ),
    ],
)
def test_each_mistake_is_told(text: str, message: str) -> None:
    good = GOOD.replace('left_out = { transformer = "takes long" }\n', "")
    if "claims" in text:
        good = good[: good.index("claims")]
        text = text.removeprefix("[suites.two]\n")
    else:
        good = good.partition("[suites.two.datasets")[0]
    with pytest.raises(RegistryError) as found:
        load(good + text)
    assert str(found.value).partition(": ")[2] == message


def test_methods_of_a_suite_exist_and_stand_once() -> None:
    with pytest.raises(RegistryError) as found:
        load('[suites.x]\nsummary = "s"\nmethods = ["hybird", "akd", "akd"]')
    lines = str(found.value).splitlines()
    assert lines[1].endswith(
        "suites.x.methods: no method is called 'hybird'; did you mean 'hybrid'?"
    )
    assert lines[2].endswith("suites.x.methods: 'akd' is named twice")


def test_what_a_dataset_changes_is_laid_over_the_method() -> None:
    method = MethodSpec(
        summary="s", student="a", loss="b", settings={"training": {"epochs": 5, "batch_size": 4}}
    )
    changed = suite_method(method, ChangesSpec(settings={"training": {"epochs": 9}}))
    assert changed.settings == {"training": {"epochs": 9, "batch_size": 4}}
    assert method.settings["training"] == {"epochs": 5, "batch_size": 4}
    assert changed.student_params == {}
