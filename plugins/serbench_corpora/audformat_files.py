"""Annotations of the files of an audformat database, read by the audformat library."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from shutil import copyfile
from types import ModuleType
from typing import TYPE_CHECKING

from serbench.api import CorpusError, PluginError, SerbenchError
from serbench_corpora.table_records import Problems
from serbench_corpora.table_rows import shown

if TYPE_CHECKING:  # an optional package: it may be missing on this machine
    import audformat
    import pandas as pd

HEADER = "db.yaml"

TABLES = ("db.*.csv", "db.*.parquet")
"""Patterns of tables that are read. Pickled ones (``db.*.pkl``) are never read, because reading can
run their code.
"""


def imported(module: str) -> ModuleType:
    """A package of the extra ``audformat``.

    Raises:
        PluginError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(
            f"{module} cannot be imported ({error}): pip install 'serbench[audformat]'"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the warnings of pandas about audformat and audb."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


class Annotations:
    """Facts that an open database gives about its files.

    Args:
        database: the open database.
        folder: folder with the audio.
        problems: problems with single files are added to this object.
    """

    def __init__(self, database: audformat.Database, folder: Path, problems: Problems) -> None:
        self._database = database
        self._folder = folder
        self._problems = problems

    def values(self, names: Sequence[str], field: str = "") -> dict[str, str]:
        """Text by file, from columns that may cover different files.

        Args:
            names: names of columns as ``table.column``; names of tables may also contain dots.
            field: a field of the labels of the column's scheme; its text is given instead of the
                column's values.

        Raises:
            CorpusError: no such table, column or field.
        """
        found: dict[str, str] = {}
        for name in names:
            table, column = self._column(name)
            for file, value in self._rows(table, column, field):
                if found.setdefault(file, value) != value:
                    self._problems.add(
                        f"files with two values in {shown(names)}", f"{file} {found[file]}, {value}"
                    )
        return found

    def has_column(self, name: str) -> bool:
        """Whether there is a ``table.column`` of that name."""
        return name in self._columns()

    def sides(self, splits: Mapping[str, str]) -> dict[str, str]:
        """The side (part of the corpus's split) of each file.

        Args:
            splits: the side of their files, by names of tables or of splits that tables belong to.

        Raises:
            CorpusError: no such table or split.
        """
        found: dict[str, str] = {}
        for name, side in splits.items():
            for table in self._tables_of(name):
                for file in map(str, self._database.tables[table].files):
                    if found.setdefault(file, side) != side:
                        self._problems.add("files on both sides", f"{file} {found[file]}, {side}")
        return found

    def _tables_of(self, split: str) -> list[str]:
        tables = self._database.tables
        if split in tables:
            return [split]
        if split not in self._database.splits:
            raise CorpusError(
                f"{self._folder} has no table or split {split}; its tables are "
                f"{', '.join(tables)}, its splits {', '.join(self._database.splits) or 'none'}"
            )
        return [name for name, table in tables.items() if table.split_id == split]

    def _columns(self) -> dict[str, tuple[str, str]]:
        return {
            f"{table}.{column}": (table, column)
            for table in self._database.tables
            for column in self._database[table].columns
        }

    def _column(self, name: str) -> tuple[str, str]:
        columns = self._columns()
        if name not in columns:
            raise CorpusError(f"{self._folder} has no {name}; it has {', '.join(columns)}")
        return columns[name]

    def _rows(self, table: str, column: str, field: str) -> Iterator[tuple[str, str]]:
        import numpy as np
        import pandas as pd

        read = self._database.tables[table]
        read.df  # noqa: B018 - reads the file, whose damage is not to be taken for a wrong field
        try:
            told = read[column].get(**({"map": field} if field else {}))
        except ValueError as error:
            raise CorpusError(f"{self._folder}: {table}.{column}: {error}") from error
        index = told.index.to_frame(index=False)
        if "start" in index:
            whole = np.array(
                [self._is_whole(table, *segment) for segment in index.to_numpy()], bool
            )
            index, told = index[whole], told[whole]
        for file, value in zip(index["file"], told, strict=True):
            yield str(file), "" if pd.isna(value) else str(value).strip()

    def _is_whole(self, table: str, file: str, start: pd.Timedelta, end: pd.Timedelta) -> bool:
        """Whether a segment is a whole file; if it is not, it is added to the problems."""
        import pandas as pd

        if start == pd.Timedelta(0) and (pd.isna(end) or self._ends(file, end.total_seconds())):
            return True
        self._problems.add(
            f"segments in {table} that are only a part of a file, which is not supported",
            f"{file} from {_seconds(start)} to {_seconds(end)}",
        )
        return False

    def _ends(self, file: str, end_s: float) -> bool:
        """Whether a file ends at this time, according to its header."""
        import soundfile

        try:
            header = soundfile.info(self._folder / file)
        except (OSError, RuntimeError):  # this is reported when the audio is read
            return True
        return abs(end_s - header.duration) < 1 / header.samplerate


@contextmanager
def opened(folder: Path, layout: str) -> Iterator[audformat.Database]:
    """The database of a folder; a table is read when it is used for the first time.

    It is opened in a temporary folder with links to its files, but without pickled
    tables: audformat would read them, and no file of a corpus may run code. Nothing is
    written to ``folder``.

    Raises:
        PluginError: audformat is not installed.
        CorpusError: there is no database, or it cannot be read.
    """
    if not (folder / HEADER).is_file():
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        raise CorpusError(
            f"{folder} is not an audformat database ({layout}): it has no {HEADER}; it contains "
            f"{shown(names) or 'nothing'}"
        )
    library = imported("audformat")
    with tempfile.TemporaryDirectory() as temporary, quiet():
        files = (path for pattern in (HEADER, *TABLES) for path in folder.glob(pattern))
        for path in files:
            _link(path.absolute(), Path(temporary) / path.name)
        try:
            yield library.Database.load(temporary, load_data=False)
        except SerbenchError:
            raise
        except Exception as error:  # errors of yaml, pandas, pyarrow or audformat, for any damage
            reason = str(error).replace(temporary, str(folder)).partition("\n")[0]
            raise CorpusError(
                f"{folder} is not a readable audformat database: "
                f"{reason or type(error).__name__}. Tables are read from {' and '.join(TABLES)}, "
                "never from pickles"
            ) from error


def _link(path: Path, there: Path) -> None:
    try:
        there.symlink_to(path)
    except OSError:  # on Windows, few users are allowed to make links
        copyfile(path, there)


def _seconds(time: pd.Timedelta) -> str:
    import pandas as pd

    return "the end" if pd.isna(time) else f"{time.total_seconds():g} s"
