"""The base of every plugin's parameters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Strictly checked, immutable settings of a plugin; an unknown name is an error.

    Example:
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
