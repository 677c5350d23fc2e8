from __future__ import annotations

from pathlib import Path

import pytest

from serbench.errors import CorpusError, StoreError
from serbench.files.paths import below, inside, is_file, name_fault

LEADING_OUT = (
    "..",
    ".",
    "",
    " ",
    "a/b",
    "a\\b",
    "/etc",
    "C:",
    "a\0",
    "a\n",
    "con",
    "NUL.txt",
    "COM1",
)
OTHERS = ("a.", " a", "a ", "x" * 256, "ü" * 128, "\ud800", "a|b", "\x1b[31m")


@pytest.mark.parametrize("name", [*LEADING_OUT, *OTHERS])
def test_a_name_that_is_none_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    assert name_fault(name)
    with pytest.raises(StoreError, match=r"the dataset .* cannot be used for a file: it "):
        inside(tmp_path, name, what="dataset")


@pytest.mark.parametrize("name", ["emodb", "akd+kd", "Müller", "a b", ".hidden", "contra", "a..b"])
def test_a_plain_name_is_joined(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, "sub", name) == tmp_path / "sub" / name


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a", "a/../../b", "a//b", "", "C:/a", "a\\..\\b"]
)
def test_a_path_stays_below_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorpusError):
        below(tmp_path, path, error=CorpusError)


def test_a_path_below_may_have_folders(tmp_path: Path) -> None:
    assert below(tmp_path, "./tables/a.csv") == tmp_path / "tables" / "a.csv"


@pytest.mark.parametrize("name", ["tables", "tables/a.csv"])
def test_a_link_does_not_lead_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="through a link"):
        below(tmp_path / "run", name)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "absent"])
def test_a_name_that_no_file_can_have_is_that_of_none(tmp_path: Path, name: str) -> None:
    assert not is_file(tmp_path / name)
    (tmp_path / "a").touch()
    assert is_file(tmp_path / "a")
