from __future__ import annotations

from pathlib import Path

import pytest

from serbench.results.report.same import same_content, same_numbers

MADE = "method,ua\nakd,0.5\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"method,ua\nakd\n",
        b"method,ua\nakd,0.5,1\n",
        b"method,ua\n" + b"x" * 200_000,
        b"",
    ],
)
def test_a_damaged_table_is_another_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert not same_content(path, MADE)
    path.write_bytes(MADE.replace("0.5", "0.50000001").encode())
    assert same_content(path, MADE)


@pytest.mark.parametrize(
    ("content", "same"),
    [
        ("method,ua,more\nakd,0.5,1\n", True),
        ("ua\n0.5\n", True),
        ("method,ua,more\nakd,0.6,1\n", False),
        ("method,ua\nakd,0.5\nkd,0.5\n", False),
        ("other\n1\n", False),
        ("", False),
    ],
)
def test_of_another_version_only_shared_columns_count(
    tmp_path: Path, content: str, same: bool
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert same_numbers(path, MADE) is same
