"""The base of every plugin: a name, and validated parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Strictly checked, immutable settings of a plugin; an unknown name is an error.

    Examples:
        >>> class Sizes(Params):
        ...     width: int = 32
        >>> Sizes(width=16).width
        16
        >>> Sizes.model_validate({"widht": 16})
        Traceback (most recent call last):
        pydantic_core...ValidationError: 1 validation error for Sizes
        widht
          Extra inputs are not permitted ...
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Plugin(Protocol):
    """The base of plugins of all kinds.

    Attributes:
        name: the plugin's name in the registry.
        Params: the class of its parameters.
        params: the parameters of this instance.
    """

    name: ClassVar[str]
    Params: ClassVar[type[BaseModel]]
    params: Any

    def __init__(self, params: BaseModel) -> None:
        self.params = params
