"""What commands that look again at a finished run have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serbench.cli.console import stdout
from serbench.cli.progress import progress_observer
from serbench.files.cache_use import using_cache
from serbench.files.paths import cache_folder
from serbench.running.execute import resolve_device
from serbench.running.registry.lookup import Registry
from serbench.running.replay.run import Replay


@contextmanager
def opened(
    folder: Path, registry: Path | None, data_dir: Path | None, device: str = "cpu"
) -> Iterator[tuple[Replay, Registry]]:
    """A run, opened to predict again under a progress display, and the registry beside it.

    Args:
        folder: of the run.
        registry: an overlay; None: the default.
        data_dir: the corpus's folder, where it is not where it is looked for.
        device: as ``--device`` says.

    Raises:
        SerbenchError: as ``Replay.open``, ``resolve_device`` and ``load_registry``.
    """
    from serbench.running.plugins import load_plugins
    from serbench.running.registry.load import load_registry

    plugins = load_plugins()
    known = load_registry(plugins, registry, strict=False)
    chosen = resolve_device(device)
    with using_cache(cache_folder()), progress_observer(plugins.hook) as watch:
        yield (
            Replay.open(
                folder, known, plugins, data_dir=data_dir, cache=cache_folder(), watch=watch,
                device=chosen,
            ),
            known,
        )  # fmt: skip


def say(*lines: object) -> None:
    """Print lines as they are, however wide the terminal is."""
    console = stdout()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
