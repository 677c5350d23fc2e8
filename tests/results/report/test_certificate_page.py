from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests_support.run_maker import BROKEN, UNDECLARED, certificate, make_run

from serbench.protocol.guard.certificate import LEAKS, AudioRecord, Certificate
from serbench.protocol.guard.view import FittedRecord
from serbench.results.report.certificate import certificate_page
from serbench.results.report.certificate_schema import schema_text
from serbench.results.report.write import write_report
from serbench.settings import ProtocolName

DOCS = Path(__file__).parents[3] / "docs"


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    section = text[text.index(f"\n{heading}\n") :]
    lines = re.search(r"\n\n((?:\|.*\n)+)", section)
    assert lines
    table = [line for line in lines[1].splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in table]
    assert len({len(each) for each in cells}) == 1
    return [[cell.strip() for cell in each] for each in cells[2:]]


def test_the_page_lists_every_check_with_its_outcome() -> None:
    held = certificate(teachers=(UNDECLARED,))
    found = rows(certificate_page(held), "## Checks")
    assert [row[0] for row in found] == list(LEAKS)
    outcomes = [check.outcome.partition(": ") for check in held.checks]
    assert [row[2] for row in found] == [outcome for outcome, _, _ in outcomes]
    assert all(
        row[3].startswith(reason) for row, (_, _, reason) in zip(found, outcomes, strict=True)
    )
    assert any(reason for _, _, reason in outcomes)


def test_the_page_gives_folds_digests_and_counts() -> None:
    held = certificate(canary=True)
    text = certificate_page(held)
    assert [row[0] for row in rows(text, "## Folds")] == [f"outer-{n}" for n in range(1, 5)]
    first = rows(text, "## Folds")[0]
    assert first[1:] == [
        "09, 10, 11, 12, 13, 14", "120", "1" * 12, "03, 08", "40", "2" * 12, "3",
    ]  # fmt: skip
    for digest in (held.digest, held.plan_digest, held.corpus_digest):
        assert f"`{digest}`" in text
    assert rows(text, "## Readings of test labels") == [["akd", "4", "1", "4"]]
    assert rows(text, "## Canary: permuted labels") == [
        ["akd", "5", "19.0 [15.0, 23.0]", "20.0", "not above chance"]
    ]
    assert rows(text, "## Teachers") == [
        ["whisper-base", "LibriSpeech, FLEURS", "declared; not on this corpus"]
    ]
    assert "160 utterances of 8 speakers in 4 outer folds. Of 10 checks: 10 passed." in text
    assert "\n\n\n" not in text
    assert "serbench verify ." in text


def test_of_many_speakers_the_page_names_the_first() -> None:
    held = certificate()
    first, *others = held.folds
    many = first.train.model_copy(update={"units": tuple(f"s{n:04d}" for n in range(1_000))})
    folds = (first.model_copy(update={"train": many}), *others)
    row = rows(certificate_page(held.model_copy(update={"folds": folds})), "## Folds")[0]
    assert row[1].startswith("s0000, s0001, ")
    assert row[1].endswith(", s0039 and 960 more")


def test_the_page_groups_what_was_fitted_and_shows_foreign_counts() -> None:
    def record(what: str, partition: str, utterances: int = 120) -> FittedRecord:
        return FittedRecord(what=what, partition=partition, utterances=utterances, digest="9" * 64)

    inner = [record("head of w", f"outer-1/inner-{n}/train") for n in (1, 2, 3)]
    held = certificate().model_copy(
        update={
            "fitted": (
                record("head of w", "outer-1/train"),
                record("normaliser", "outer-1/train", 160),
                *inner,
            )
        }
    )
    assert rows(certificate_page(held), "## What was fitted, and on what") == [
        ["outer-1, inner training sides", "3", "head of w × 3"],
        ["outer-1/train", "2", "head of w, normaliser (on 160 utterances)"],
    ]


def test_an_empty_certificate_has_words_for_all_that_is_missing() -> None:
    bare = certificate(teachers=()).model_copy(update={"fitted": (), "readings": ()})
    text = certificate_page(bare)
    for line in (
        "Nothing was fitted.",
        "The run has no teacher.",
        "The run was not repeated on permuted labels.",
        "No test labels were read.",
        "None.",
    ):
        assert f"\n{line}\n" in text
    assert "\n\n\n" not in text


def test_left_out_copies_are_listed_and_many_are_counted() -> None:
    few = certificate().model_copy(update={"dropped": ("a_1", "b|2")})
    assert "\na_1, b\\|2\n" in certificate_page(few)
    many = certificate().model_copy(update={"dropped": tuple(f"u{n}" for n in range(30))})
    assert "u19 and 10 more, which certificate.json lists" in certificate_page(many)


@pytest.mark.parametrize("protocol", list(BROKEN))
def test_the_page_of_a_leaky_run_says_what_is_broken(protocol: ProtocolName) -> None:
    text = certificate_page(certificate(protocol))
    assert text.startswith(f"# LEAKY PROTOCOL {protocol}: broken on purpose")
    assert BROKEN[protocol][1] in text
    assert "9 passed, 1 broken on purpose" in text or "1 broken on purpose, " in text
    assert "no speaker is on both sides" not in text


def test_the_report_links_to_the_page_of_each_run(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", {"akd": 0.9})
    two = make_run(tmp_path / "two", {"kd": 0.6})
    write_report([one], one)
    assert (one / "certificate.md").read_text() == certificate_page(certificate())
    assert "(certificate.md)" in (one / "report.md").read_text()
    report = write_report([one, two], tmp_path / "both").read_text()
    for name in ("one", "two"):
        assert f"(certificate-{name}.md)" in report
        assert (tmp_path / "both" / f"certificate-{name}.md").is_file()


def test_the_page_shows_the_unlabelled_audio() -> None:
    audio = AudioRecord(recordings=4481, duration_s=11_061, digest="5" * 64)
    text = certificate_page(certificate().model_copy(update={"audio": audio}))
    assert rows(text, "## Unlabelled audio") == [["4481", "3 h 04 min", "5" * 12]]
    assert "before any fold" in text
    assert "cannot prove that no speaker of the corpus is among them" in text
    assert "Students were not pretrained." in certificate_page(certificate())


# ── The schema ───────────────────────────────────────────────────────────────────────────────────


def test_the_published_schema_is_current() -> None:
    path = DOCS / "certificate-3.schema.json"
    assert path.read_text() == schema_text(), "make it anew: docs/certificate.md says how"


def test_the_schema_has_the_keys_of_a_stored_certificate(tmp_path: Path) -> None:
    stored = json.loads((make_run(tmp_path / "run") / "certificate.json").read_text())
    schema = json.loads(schema_text())
    assert [key for key in schema["properties"] if key in schema["required"]] == list(stored)
    assert schema["required"] == list(stored)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["schema_version"]["const"] == 3
    for name, model in schema["$defs"].items():
        key = {"FoldSummary": "folds", "Check": "checks", "TeacherRecord": "teachers"}.get(name)
        if key:
            assert list(model["properties"]) == list(stored[key][0])


def test_the_schema_knows_every_outcome() -> None:
    pattern = json.loads(schema_text())["$defs"]["LeakCheck"]["properties"]["outcome"]["pattern"]
    assert "(?s)" not in pattern  # which ECMA 262 has not
    held: list[Certificate] = [
        certificate(teachers=(UNDECLARED,)),
        certificate("leaky-random"),
        certificate("leaky-normaliser"),
    ]
    outcomes = {check.outcome for each in held for check in each.checks}
    assert len(outcomes) == 4
    for outcome in (*outcomes, "measured", "not run: two\nlines"):
        assert re.search(pattern, outcome), outcome
    assert not re.search(pattern, "failed")
    assert not re.search(pattern, "passed: somehow")
