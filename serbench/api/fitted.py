"""A scikit-learn classifier as a torch module: computes logits from pooled windows, and keeps its
state in one tensor.
"""

from __future__ import annotations

import inspect
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serbench.api.student import StudentOutput, StudentShape
from serbench.errors import PluginError, StoreError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

FLOOR = 1e-7
"""Smallest posterior, which a class that the training partition lacks has."""

SCHEMA = "schema.json"


class Classifies(Protocol):
    """The part of a plugin that its network needs; see ``Estimator``."""

    name: ClassVar[str]
    trusted: ClassVar[tuple[str, ...]]
    params: Any

    def classifier(self) -> Any:
        """A new, unfitted classifier."""
        ...


class EstimatorNetwork(nn.Module):
    """The network of an estimator.

    Its state is one tensor, ``stored``, ``(bytes,)`` uint8: the fitted classifier as skops writes
    it, without any pickle. Loading it runs no code except that of classes that the plugin lists.

    Attributes:
        fitted: the classifier; None: not fitted yet.
    """

    stored: Tensor

    def __init__(self, plugin: Classifies, shape: StudentShape) -> None:
        super().__init__()
        self.plugin, self.shape = plugin, shape
        self.fitted: Any = None
        self.register_buffer("stored", torch.zeros(0, dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_load)

    def fit(
        self,
        rows: Float[NDArray[np.floating], "U d"],
        labels: Int[NDArray[np.int64], " U"],
        groups: NDArray[Any],
        seed: int,
    ) -> None:
        """Fit a new classifier on a training partition.

        Args:
            rows: pooled frames, see ``pool``.
            labels: 0 … C-1; classes may be missing.
            groups: group of each row, for classifiers that cross-validate within the fit.
            seed: seed for every ``random_state`` that the plugin does not set.

        Raises:
            PluginError: the classifier refuses the data, or cannot be stored.
        """
        name = self.plugin.name
        if not np.isfinite(rows).all():
            raise PluginError(f"estimator {name}: its input is not finite")
        classifier = self.plugin.classifier()
        drawn = {
            key: seed % 2**32
            for key, value in classifier.get_params().items()
            if key.rpartition("__")[2] == "random_state" and value is None
        }
        classifier.set_params(**drawn)
        try:
            classifier.fit(rows.astype(np.float64), labels, **_grouped(classifier, groups))
        except ValueError as error:
            raise PluginError(f"estimator {name} cannot be fitted: {error}") from error
        self.stored = torch.frombuffer(bytearray(dumps(classifier)), dtype=torch.uint8)
        # The classifier that is scored is the stored one.
        self.fitted = loads(self.stored, self.plugin)

    def pool(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> Float[Tensor, "N e"]:
        """One row per window: the row of values itself, or statistics over the real frames."""
        if self.shape.rows:
            return features[..., 0].flatten(1)
        real = (torch.arange(features.shape[3], device=lengths.device) < lengths[:, None])[
            :, None, None
        ]
        x = features.double()
        count = lengths[:, None, None].double()
        mean = (x * real).sum(dim=3) / count
        of: dict[str, Tensor] = {"mean": mean}
        wanted = self.plugin.params.pool
        if "std" in wanted:
            of["std"] = (((x - mean[..., None]) * real).square().sum(dim=3) / count).sqrt()
        if "min" in wanted:
            of["min"] = x.masked_fill(~real, float("inf")).amin(dim=3)
        if "max" in wanted:
            of["max"] = x.masked_fill(~real, float("-inf")).amax(dim=3)
        return torch.cat([of[name].flatten(1) for name in wanted], dim=1)

    def posteriors(self, rows: Float[NDArray[np.floating], "N d"]) -> NDArray[np.float64]:
        """``(N, C)`` in the order of labels, none below ``FLOOR``.

        They come from ``predict_proba``, or are the softmax of ``decision_function``. With two
        classes, whose decision function is one value f, they are the softmax of 0 and f.

        Raises:
            PluginError: the classifier was not fitted, or gives no such numbers.
        """
        name, fitted = self.plugin.name, self.fitted
        if fitted is None:
            raise PluginError(f"estimator {name} was not fitted, so it can predict nothing")
        given = rows.astype(np.float64)
        if hasattr(fitted, "predict_proba"):
            found = np.asarray(fitted.predict_proba(given), dtype=np.float64)
        else:
            decision = np.asarray(fitted.decision_function(given), dtype=np.float64)
            if decision.ndim == 1:
                decision = np.stack([np.zeros_like(decision), decision], axis=1)
            found = np.exp(decision - decision.max(axis=1, keepdims=True))
            found /= found.sum(axis=1, keepdims=True)
        whole = np.full((len(rows), self.shape.num_classes), FLOOR)
        if found.shape != (len(rows), len(fitted.classes_)) or not np.isfinite(found).all():
            raise PluginError(f"estimator {name} gives no finite score for each of its classes")
        whole[:, fitted.classes_] = found.clip(FLOOR)
        return whole / whole.sum(axis=1, keepdims=True)

    def forward(
        self, features: Float[Tensor, "N channels d frames"], lengths: Int[Tensor, " N"]
    ) -> StudentOutput:
        """Logits whose softmax gives the posteriors; the embedding is the classifier's input."""
        pooled = self.pool(features, lengths)
        posteriors = torch.from_numpy(self.posteriors(pooled.cpu().numpy()))
        return StudentOutput(posteriors.log().float().to(features.device), pooled.float())

    @property
    def numbers(self) -> int:
        """Number of floating-point numbers in the fitted classifier."""
        with zipfile.ZipFile(io.BytesIO(self.stored.cpu().numpy().tobytes())) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = [np.load(io.BytesIO(archive.read(name))) for name in names]
        return sum(array.size for array in arrays if array.dtype.kind == "f")


def _load(module: EstimatorNetwork, state: Mapping[str, Tensor], prefix: str, *_: object) -> None:
    """Allocate a state before it is loaded, and restore the classifier from it."""
    stored = state.get(f"{prefix}stored")
    if stored is None:
        return  # torch reports it
    module.stored = torch.zeros_like(stored)
    module.fitted = loads(stored, module.plugin) if len(stored) else None


def _grouped(classifier: Any, groups: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Groups as keyword arguments of ``fit``: its own, and those of each step of a pipeline."""
    from sklearn.pipeline import Pipeline

    taking = {"groups": classifier}
    if isinstance(classifier, Pipeline):
        taking |= {f"{name}__groups": step for name, step in classifier.steps}
    return {
        name: groups
        for name, each in taking.items()
        if "groups" in inspect.signature(getattr(each, "fit", print)).parameters
    }


def dumps(fitted: Any) -> bytes:
    """A fitted classifier as a skops file whose bytes depend on the classifier alone.

    Raises:
        PluginError: skops cannot write a part of it without a pickle.
    """
    import skops.io

    try:
        written = skops.io.dumps(fitted)
    except Exception as error:  # a part of the classifier may raise anything
        raise PluginError(f"{type(fitted).__name__} cannot be stored: {error}") from error
    names: dict[str, str] = {}
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written)) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as plain,
    ):
        schema = _plain(json.loads(archive.read(SCHEMA)), names, {})
        text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
        plain.writestr(zipfile.ZipInfo(SCHEMA), text)
        for old, new in names.items():
            plain.writestr(zipfile.ZipInfo(new), archive.read(old))
    return out.getvalue()


def _plain(node: Any, names: dict[str, str], ids: dict[int, int]) -> Any:
    """A skops schema with positions in the file instead of addresses in memory."""
    if isinstance(node, list):
        return [_plain(each, names, ids) for each in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            # Whether two plain values are one object in memory depends on the process.
            own = -len(ids) - 1 if node.get("is_json") else value
            made[key] = ids.setdefault(own, len(ids))
        elif key == "file":
            ending = value.rpartition(".")[2]
            made[key] = names.setdefault(value, f"{len(names)}.{ending}")
        else:
            made[key] = _plain(value, names, ids)
    return made


def loads(stored: Tensor, plugin: Classifies) -> Any:
    """The classifier of a state; see ``Estimator.trusted``.

    Raises:
        StoreError: the state is damaged, or contains classes that the plugin does not list.
    """
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    content = stored.cpu().numpy().tobytes()
    try:
        strange = sorted({*skops.io.get_untrusted_types(data=content)} - {*plugin.trusted})
        if not strange:
            with warnings.catch_warnings():
                # `serbench verify` compares predictions with the run's own.
                warnings.simplefilter("ignore", InconsistentVersionWarning)
                return skops.io.loads(content, trusted=list(plugin.trusted))
    except Exception as error:
        raise StoreError(f"the stored estimator {plugin.name} is damaged ({error})") from error
    raise StoreError(
        f"the stored estimator {plugin.name} holds {', '.join(strange)}, which the plugin does not "
        "list as trusted; serbench loaded nothing"
    )
