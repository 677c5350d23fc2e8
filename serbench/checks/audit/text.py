"""An audit in words: header, table of folds, findings, verdict."""

from __future__ import annotations

from collections.abc import Iterator

from serbench.checks.audit.records import LOOKED_FOR, OVER_FOLDS, Audit, Check, Finding, Fold, Unit
from serbench.checks.audit.rows import PARTS

UNITS_SHOWN = 12
"""Units of a finding that are printed; the JSON has all."""
FINDINGS_SHOWN = 30
"""Findings that are printed, leaks first; the JSON has all."""

CODES = ("L1", "L2", "L4", "L5", "L9")


def header_lines(audit: Audit) -> list[str]:
    """What was read, and where speakers, sentences and audio come from."""
    corpus = f" as {audit.corpus}" if audit.corpus else ""
    return [
        f"Read: {audit.source}{corpus}: {audit.described} ({audit.format})",
        f"{_count(len(audit.folds), 'fold')}, {_count(audit.utterances, 'utterance')}",
        f"Speakers: {audit.speakers_from}. Sentences: {audit.texts_from}. Audio: "
        f"{audit.audio_from}.",
    ]


def fold_table(audit: Audit) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns, and one row per fold: utterances and speakers of each part, a word per check."""
    parts = [part for part in PARTS if any(part in fold.parts for fold in audit.folds)]
    short = {"train": "train", "validation": "val", "test": "test"}
    columns = ("fold", *(short[part] for part in parts), "speakers", *CODES)
    rows = []
    for fold in audit.folds:
        sizes = [str(fold.parts[p].utterances) if p in fold.parts else "0" for p in parts]
        speakers = "/".join(_speakers(fold, part) for part in parts)
        rows.append((fold.name, *sizes, speakers, *(_word(check) for check in fold.checks)))
    return columns, rows


def legend() -> str:
    """What the columns of the table mean."""
    return "; ".join(f"{code}: {LOOKED_FOR[code]}" for code in CODES)


def finding_lines(audit: Audit) -> list[str]:
    """Findings, leaks first, each with its first units; then notes."""
    found = sorted(_findings(audit), key=lambda item: not item[2].leak)
    lines = [_finding_line(*item) for item in found[:FINDINGS_SHOWN]]
    if len(found) > FINDINGS_SHOWN:
        lines.append(f"and {len(found) - FINDINGS_SHOWN} more findings; --json FILE has all")
    return [*lines, *(f"note: {note}" for note in audit.notes)]


def verdict(audit: Audit) -> str:
    """``LEAKS: L1 in 5 of 5 folds``, or ``no leak found``; and what was not checked."""
    # Codes with the same reason stand together.
    reasons: dict[str, list[str]] = {}
    for code, reason in audit.not_checked.items():
        reasons.setdefault(reason, []).append(code)
    unchecked = "; ".join(f"{', '.join(codes)} ({why})" for why, codes in reasons.items())
    ending = f"; not checked: {unchecked}" if unchecked else ""
    if not audit.leaks:
        return f"no leak found{ending}"
    return f"LEAKS: {', '.join(_places(audit, code) for code in audit.leaks)}{ending}"


def _places(audit: Audit, code: str) -> str:
    folds = [name for name in audit.leaks[code] if name != OVER_FOLDS]
    places = [f"in {len(folds)} of {_count(len(audit.folds), 'fold')}"] if folds else []
    if len(folds) < len(audit.leaks[code]):
        places.append(OVER_FOLDS)
    return f"{code} {' and '.join(places)}"


def _findings(audit: Audit) -> Iterator[tuple[str, str, Finding]]:
    for fold in audit.folds:
        for check in fold.checks:
            for finding in check.findings:
                if check.code != "L9":  # the table has its share, and texts are seldom a surprise
                    yield check.code, f"fold {fold.name}", finding
    for check in audit.over_folds:
        for finding in check.findings:
            yield check.code, OVER_FOLDS, finding


def _finding_line(code: str, place: str, finding: Finding) -> str:
    units = ", ".join(_unit(unit) for unit in finding.units[:UNITS_SHOWN])
    rest = len(finding.units) - UNITS_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    mark = "LEAK " if finding.leak else ""
    return f"{mark}{code} {place}: {finding.what} ({len(finding.units)}): {units}{more}"


def _unit(unit: Unit) -> str:
    """Its name, with counts where they tell more than that it is there once."""
    facts = []
    if len(unit.counts) > 1 and set(unit.counts.values()) != {1}:
        facts.append(" + ".join(str(count) for count in unit.counts.values()))
    elif len(unit.counts) == 1:
        facts.append(f"{next(iter(unit.counts.values()))} times")
    if unit.similarity is not None:
        facts.append(f"similarity {unit.similarity:.2f}, offset {unit.offset_s} s")
    return f"{unit.name} ({'; '.join(facts)})" if facts else unit.name


def _speakers(fold: Fold, part: str) -> str:
    if part not in fold.parts:
        return "0"
    count = fold.parts[part].speakers
    return "?" if count is None else str(count)


def _word(check: Check) -> str:
    """``ok``, ``LEAK 3``, ``50 %`` or ``not run``."""
    if check.share is not None:
        return f"{100 * check.share:.0f} %"
    if check.leaks:
        # A speaker that is in all three parts is one speaker.
        return f"LEAK {len({unit.name for f in check.findings if f.leak for unit in f.units})}"
    return "ok" if check.outcome == "passed" else "not run"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
