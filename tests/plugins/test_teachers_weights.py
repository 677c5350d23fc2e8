from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from serbench.api import TeacherError
from serbench_teachers import precision
from serbench_teachers.weights import find_checkpoint, weight_files


def fake(folder: Path, *, weights: str = "model.safetensors", content: bytes = b"w") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "hubert"}')
    (folder / "preprocessor_config.json").write_text("{}")
    (folder / weights).write_bytes(content)
    return folder


def test_digest_follows_every_file_that_matters(tmp_path: Path) -> None:
    first = find_checkpoint(str(fake(tmp_path / "a"))).digest
    assert find_checkpoint(str(fake(tmp_path / "copy"))).digest == first
    (tmp_path / "a" / "README.md").write_text("not read")
    assert find_checkpoint(str(tmp_path / "a")).digest == first
    digests = {first, find_checkpoint(str(fake(tmp_path / "b", content=b"v"))).digest}
    for name in ("config.json", "preprocessor_config.json"):
        (fake(tmp_path / name) / name).write_text('{"model_type": "hubert", "x": 1}')
        digests.add(find_checkpoint(str(tmp_path / name)).digest)
    assert len(digests) == 4


def test_safetensors_before_torch_format(tmp_path: Path) -> None:
    fake(fake(tmp_path), weights="pytorch_model.bin")
    assert [f.name for f in weight_files(tmp_path)] == ["model.safetensors"]


def test_shards(tmp_path: Path) -> None:
    fake(tmp_path, weights="model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(TeacherError, match="model-00002-of-00002"):
        weight_files(tmp_path)
    (tmp_path / shards["b"]).write_bytes(b"w")
    assert [f.name for f in weight_files(tmp_path)] == sorted(shards.values())
    index.write_text("{}")
    with pytest.raises(TeacherError, match=r"index\.json is damaged"):
        weight_files(tmp_path)


@pytest.mark.parametrize("lacking", ["config.json", "preprocessor_config.json"])
def test_folder_without_configs(tmp_path: Path, lacking: str) -> None:
    (fake(tmp_path) / lacking).unlink()
    with pytest.raises(TeacherError, match=f"it has no {lacking}"):
        find_checkpoint(str(tmp_path))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_pointers_in_place_of_files_are_called_what_they_are(tmp_path: Path, name: str) -> None:
    (fake(tmp_path) / name).write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )
    with pytest.raises(TeacherError, match=rf"{name}: a git-lfs pointer .*run git lfs pull"):
        find_checkpoint(str(tmp_path))


def test_folder_without_weights(tmp_path: Path) -> None:
    fake(tmp_path, weights="tf_model.h5")
    with pytest.raises(TeacherError, match=r"no weights: model\.safetensors or pytorch_model\.bin"):
        find_checkpoint(str(tmp_path))


def test_file_and_absent_folder(tmp_path: Path) -> None:
    (tmp_path / "x.bin").touch()
    with pytest.raises(TeacherError, match="is a file; give the folder"):
        find_checkpoint(str(tmp_path / "x.bin"))
    with pytest.raises(TeacherError, match="absent does not exist"):
        find_checkpoint(str(tmp_path / "absent"))


class Hub:
    """Stands in for the hub's client: one model, whose files come as they are asked for."""

    def __init__(self, folder: Path, files: list[str], *, cached: bool = False) -> None:
        self.folder, self.files = folder, files
        self.cached, self.asked = cached, list[list[str]]()

    def __call__(
        self,
        _model: str,
        *,
        allow_patterns: list[str] | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
    ) -> str:
        if local_files_only and not self.cached:
            raise LocalEntryNotFoundError("not cached")
        assert allow_patterns is not None
        if not local_files_only:
            assert revision in (None, self.folder.name)
            self.asked.append(allow_patterns)
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in set(self.files) & set(allow_patterns):
                (self.folder / name).write_text('{"model_type": "hubert"}')
        return str(self.folder)


CONFIGS = ["config.json", "preprocessor_config.json"]


def use(monkeypatch: pytest.MonkeyPatch, hub: object) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)


@pytest.mark.parametrize(
    ("weights", "requests"), [("model.safetensors", 1), ("pytorch_model.bin", 2)]
)
def test_hub_id_takes_one_format(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: str, requests: int
) -> None:
    hub = Hub(tmp_path / "0ff1ce", [*CONFIGS, weights, "tf_model.h5"])
    use(monkeypatch, hub)
    found = find_checkpoint("someone/encoder")
    assert found.digest == "commit:0ff1ce"
    assert [f.name for f in weight_files(found.folder)] == [weights]
    assert len(hub.asked) == requests


def test_cached_snapshot_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = Hub(fake(tmp_path / "0ff1ce"), [], cached=True)
    use(monkeypatch, hub)
    assert find_checkpoint("someone/encoder").digest == "commit:0ff1ce"
    assert not hub.asked


def test_incomplete_snapshot_is_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(tmp_path / "0ff1ce", weights="unrelated")
    hub = Hub(tmp_path / "0ff1ce", ["model.safetensors"], cached=True)
    use(monkeypatch, hub)
    find_checkpoint("someone/encoder")
    assert len(hub.asked) == 1


def test_without_network_the_message_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_model: str, **_options: object) -> str:
        raise LocalEntryNotFoundError("Got: ConnectError: Name or service not known\nmore")

    use(monkeypatch, unreachable)
    with pytest.raises(TeacherError) as caught:
        find_checkpoint("facebook/wav2vec2-large")
    message = str(caught.value)
    assert "`--teacher FOLDER`" in message
    assert "`hf download facebook/wav2vec2-large --local-dir FOLDER`" in message
    assert "\n" not in message


def test_misspelt_hub_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_model: str, *, local_files_only: bool = False, **_options: object) -> str:
        if local_files_only:
            raise LocalEntryNotFoundError("not cached")
        answer = SimpleNamespace(headers={}, request=None)
        raise RepositoryNotFoundError("404", response=answer)  # type: ignore[arg-type]

    use(monkeypatch, absent)
    with pytest.raises(TeacherError, match="the model hub has no facebok/wav2vec2"):
        find_checkpoint("facebok/wav2vec2")


@pytest.mark.parametrize(("able", "due"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_follows_the_hardware(
    monkeypatch: pytest.MonkeyPatch, able: bool, due: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "computes_bf16", lambda _device: able)
    cpu = torch.device("cpu")
    assert precision.choose_precision("auto", cpu) is due
    assert precision.choose_precision("fp32", cpu) is torch.float32
    assert precision.choose_precision("bf16", cpu) is torch.bfloat16
