"""One place for the runs of a test session, shared by all its processes.

Nothing heavy is imported before a test asks for a run.
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
    from serbench.running.plan.request import Request


@dataclass(frozen=True, slots=True)
class Session:
    """The place in which a test session makes its runs.

    Attributes:
        runs: folder of run folders.
        name: the same in all processes of a session, and unique to the session.
        jobs: fits to run in parallel.
        golden: file that runs are compared with if none is named; None: no default.
    """

    runs: Path
    name: str
    jobs: int = 1
    golden: Path | None = None

    def make(self, request: Request, data_dir: Path | None = None) -> BenchRun:
        """The run of a plan, made once per session by the first process that asks.

        Raises:
            SerbenchError: the run cannot be planned or run.
        """
        from serbench.checks.regress.bench import make_run

        return make_run(request, data_dir, self.jobs, self.runs, self.once, self.golden)

    def once(self, digest: str, make: Callable[[], Path]) -> Path:
        """The folder that ``make`` returns; ``make`` is called once per session and digest.

        Other processes that ask for it meanwhile wait. A later session calls it again, because the
        code may have changed; finished fits come from the cache.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        note = self.runs / f".{self.name}-{digest}.txt"
        with FileLock(str(note.with_suffix(".lock"))):
            if note.is_file():
                return inside(self.runs, note.read_text(encoding="utf-8"), what="run")
            folder = make()
            note.write_text(folder.name, encoding="utf-8")
            return folder
