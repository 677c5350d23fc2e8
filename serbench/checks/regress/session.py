"""One place for the runs of a test session, whichever of its processes makes them.

Nothing heavy is imported before a run is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from serbench.files.paths import inside

if TYPE_CHECKING:
    from serbench.checks.regress.bench import BenchRun
    from serbench.running.plan.records import Request


@dataclass(frozen=True, slots=True)
class Session:
    """Where the runs of a test session are made.

    Attributes:
        runs: folder of their folders.
        name: the same in all processes of a session, and in no other session.
        jobs: fits side by side.
        golden: file that runs are compared with where none is named; None: there is none.
    """

    runs: Path
    name: str
    jobs: int = 1
    golden: Path | None = None

    def make(self, request: Request, data_dir: Path | None = None) -> BenchRun:
        """The run of a plan: made once in a session, whichever of its processes asks first.

        Raises:
            SerbenchError: it cannot be planned or run.
        """
        from serbench.checks.regress.bench import make_run

        return make_run(request, data_dir, self.jobs, self.runs, self.once, self.golden)

    def once(self, digest: str, make: Callable[[], Path]) -> Path:
        """The folder that ``make`` gives, which is called once in a session for a digest.

        Another process that asks meanwhile waits. A later session calls it again: the code may be
        another one by then, and what is fitted already is in the cache.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        note = self.runs / f".{self.name}-{digest}.txt"
        with FileLock(str(note.with_suffix(".lock"))):
            if note.is_file():
                return inside(self.runs, note.read_text(encoding="utf-8"), what="run")
            folder = make()
            note.write_text(folder.name, encoding="utf-8")
            return folder
