"""Options that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model that serbench export has written.")
]
Threads = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, help="Threads that the model may use.")
]
