"""Stores weights of a deployed model in a file of numbers alone, for the PyTorch backends."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from serbench.api import DeployedModel
from serbench_backends.failures import opening

FILE = "model.safetensors"


def save_weights(module: nn.Module, folder: Path) -> None:
    """Write parameters and buffers, each in its own precision."""
    state = {name: each.detach().contiguous() for name, each in module.state_dict().items()}
    save_file(state, folder / FILE)


def load_weights(model: DeployedModel, folder: Path) -> nn.Module:
    """``model.module()`` with the weights of the file, in the precision of the file.

    Raises:
        PluginError: the file is missing, damaged, or of another model.
    """
    module = model.module()
    with opening("PyTorch"):
        state = load_file(folder / FILE)
        for name, parameter in module.named_parameters():
            if name in state:
                parameter.data = parameter.data.to(state[name].dtype)
        module.load_state_dict(state)
    return module
