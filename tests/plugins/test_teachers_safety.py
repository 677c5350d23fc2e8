"""A model folder from a stranger: none of its code is run."""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers

import serbench
from serbench.api import TeacherError
from serbench_teachers.speech_encoder import SpeechEncoder, SpeechEncoderParams

ROOT = Path(serbench.__file__).parents[1]
NEEDED = {"from_pretrained": "trust_remote_code", "torch.load": "weights_only"}

CODE = "from pathlib import Path\nPath({mark!r}).touch()\nclass Evil: pass\n"


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of our code that reads a model of somebody else."""
    for folder in ("serbench", "plugins", "baselines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                whole = ast.unparse(node.func)
                if node.func.attr == "from_pretrained" and whole != "nn.Embedding.from_pretrained":
                    yield f"{path.name}:{node.lineno} from_pretrained", node
                elif whole == "torch.load":
                    yield f"{path.name}:{node.lineno} torch.load", node


def test_no_call_trusts_code_of_a_folder() -> None:
    found = list(calls())
    assert len(found) >= 3
    for where, node in found:
        wanted = NEEDED[where.split()[1]]
        values = {each.arg: ast.unparse(each.value) for each in node.keywords}
        expected = "True" if wanted == "weights_only" else "False"
        assert values.get(wanted) == expected, where


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model whose configs name code in the folder."""
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 3),
        num_conv_pos_embedding_groups=2, num_conv_pos_embeddings=4,
    )  # fmt: skip
    model = tmp_path / "model"
    transformers.Wav2Vec2Model(config).save_pretrained(model)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(model)
    (model / "evil.py").write_text(CODE.format(mark=str(tmp_path / "ran")))
    return model


def load(model: Path) -> None:
    SpeechEncoder(SpeechEncoderParams(model=str(model))).load(torch.device("cpu"))


def test_the_folder_is_read_without_its_code(folder: Path) -> None:
    load(folder)
    assert not (folder.parent / "ran").exists()


@pytest.mark.parametrize(
    ("file", "auto", "kind"),
    [
        ("preprocessor_config.json", "AutoFeatureExtractor", "feature_extractor_type"),
        ("config.json", "AutoConfig", ""),
    ],
)
def test_code_of_the_folder_is_not_run(folder: Path, file: str, auto: str, kind: str) -> None:
    path = folder / file
    content = json.loads(path.read_text()) | {"auto_map": {auto: "evil.Evil"}}
    if kind:
        content[kind] = "Evil"
    path.write_text(json.dumps(content))
    try:
        load(folder)
    except TeacherError as error:
        assert "its own code, which serbench does not run" in str(error)  # noqa: PT017 - either
    assert not (folder.parent / "ran").exists()


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_is_refused_in_our_own_words(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        torch.save({"weight": Evil(folder.parent / "ran")}, file, pickle_module=pickle)
    with pytest.raises(TeacherError, match="a pickle that would run code when it is read") as told:
        load(folder)
    assert not (folder.parent / "ran").exists()
    assert "weights_only" not in str(told.value)


def test_weights_stay_in_their_folder(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"a": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(TeacherError, match="names weights outside its folder"):
        load(folder)
