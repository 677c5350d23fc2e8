"""Options of ``serbench deploy``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serbench.errors import SerbenchError
from serbench.studies.study import option


@dataclass(frozen=True, slots=True)
class DeployParams:
    """Options of ``serbench deploy``."""

    backends: tuple[str, ...] = option(
        (),
        "Backends of the registry, separated by commas or repeated. Each must be able to run "
        "here. Default: all; serbench lists those that cannot run, with the reason.",
        metavar="BACKEND",
        flag="-b",
    )
    method: str | None = option(
        None, "Method whose students are measured. Default: the run's first.", flag="-m"
    )
    seed: int = option(0, "Seed of the students.")
    threads: int = option(1, "Threads of every process.", least=1)
    rounds: int = option(5, "Rounds of measurements. 0: accuracy only, no times.", least=0)
    bundle: Path | None = option(
        None,
        "Write models and a script for another device into this new folder, and measure nothing "
        "here.",
        metavar="FOLDER",
    )
    import_: tuple[Path, ...] = option(
        (), "results.json of another device, whose rows are added to the table. Repeatable."
    )

    def __post_init__(self) -> None:
        """
        Raises:
            SerbenchError: options exclude each other.
        """
        if self.bundle and self.import_:
            raise SerbenchError(
                "--bundle writes for another device and --import reads from one: give only one "
                "of them"
            )
