#!/usr/bin/env python3
"""Holds the matrices in docs/ against the tests.

A matrix is a Markdown table whose first column is a row's id and whose last column, `shown by`, says what shows it:

    `open`                   nothing yet: in docs/CONFORMANCE.md an error
    `does not bind: why`     the row asks nothing of this server
    `no test: why`           it cannot be shown by a test
    `deviation: why`         the server knowingly does otherwise; tests may show what it does instead
    anything else            the tests, put there by this script

A test names its rows in a comment right above it (or inside it, beside the case in question):

    // CONFORMANCE 7701-021, 7701-022. THREATS T24.

    scripts/conformance.py            check; any difference is an error
    scripts/conformance.py --closed   check, and let an open row of any matrix be an error
    scripts/conformance.py --write    bring the last column up to date; rows of our own (ids of a specification that has no
                                      numbered table here, like 3261-8.2.2-1, and advisories) are added when a test names them
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONFORMANCE = ROOT / "docs/CONFORMANCE.md"
SECURITY = ROOT / "docs/security.md"
OPERATIONS = ROOT / "docs/operations.md"
SIP = [ROOT / "docs/conformance-sip-messages.md", ROOT / "docs/conformance-sip-calls.md"]
MATRICES = [CONFORMANCE, *SIP, SECURITY, OPERATIONS]

NUMBERED = r"\d{4}-\d{3}"
OWN = r"\d{4}-\d+(?:\.\d+)*-\d+"
ADVISORY = r"CVE-\d{4}-\d{4,}|GHSA(?:-\w{4}){3}"
COMMIT = r"(?=[0-9a-f]*\d)[0-9a-f]{7,10}"
RULE_ID = re.compile(rf"{NUMBERED}(?![\w.-])|{OWN}")
THREAT_ID = re.compile(rf"(?<![\w.-])(?:[TF]\d{{1,2}}|{ADVISORY}|{COMMIT})(?![\w-])")
ROW = re.compile(rf"^\| ({NUMBERED}|{OWN}|[TF]\d{{1,2}}|{ADVISORY}|{COMMIT}) \|(.*)\| ([^|]*) \|$")
REASON = re.compile(r"^(does not bind|no test|deviation): \S")
SHOWN = " Shown by "
OWN_ROWS = "## Rows of our own"
OWN_ADVISORIES = "### Further advisories"


class Test(NamedTuple):
    file: str
    name: str

    def __str__(self) -> str:
        return f"`{self.file}` {self.name}"


class Row(NamedTuple):
    matrix: Path
    line: int
    cell: str


def main() -> int:
    write, closed = "--write" in sys.argv[1:], "--closed" in sys.argv[1:]
    problems: list[str] = []
    shown = tests_by_row(problems)
    if write:
        add_rows_of_our_own(shown)
    rows = read_rows(problems)
    for row_id, tests in shown.items():
        if row_id not in rows:
            problems.append(f"{row_id}: no such row in docs/, but {tests[0]} names it")
    if write:
        write_cells(rows, shown)
        rows = read_rows([])
    for row_id, row in rows.items():
        problems += faults(row_id, row, shown.get(row_id, []), closed)
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    if len(problems) > 20:
        print(f"… and {len(problems) - 20} more", file=sys.stderr)
    for matrix in MATRICES:
        print(summary(matrix, rows))
    print(f"conformance: {'FAILED, ' if problems else ''}{len(rows)} rows, {len(problems)} problems")
    return 1 if problems else 0


def faults(row_id: str, row: Row, tests: list[Test], closed: bool) -> list[str]:
    place = f"{row.matrix.relative_to(ROOT)}:{row.line}: {row_id}"
    if row.cell.startswith(("does not bind:", "no test:")) and tests:
        return [f"{place}: says {row.cell!r}, but {tests[0]} shows it"]
    if row.cell != cell(row.cell, tests):
        return [f"{place}: the last column is not what the tests say; run scripts/conformance.py --write"]
    if row.cell == "open" and (closed or row.matrix == CONFORMANCE):
        return [f"{place}: is open: show it by a test, or say `does not bind:`, `deviation:` or `no test:` with the reason"]
    return []


def cell(old: str, tests: list[Test]) -> str:
    """What the last column should say, keeping a reason that somebody wrote."""
    names = "; ".join(map(str, sorted(set(tests))))
    if REASON.match(old):
        reason = old.split(SHOWN)[0]
        return f"{reason}{SHOWN}{names}" if names else reason
    return names or "open"


def read_rows(problems: list[str]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for matrix in MATRICES:
        for number, line in enumerate(matrix.read_text(encoding="utf-8").splitlines(), 1):
            match = ROW.match(line)
            if not match:
                continue
            if match[1] in rows:
                problems.append(f"{matrix.relative_to(ROOT)}:{number}: {match[1]} stands there twice")
            rows[match[1]] = Row(matrix, number, match[3])
    return rows


def write_cells(rows: dict[str, Row], shown: dict[str, list[Test]]) -> None:
    for matrix in MATRICES:
        lines = matrix.read_text(encoding="utf-8").splitlines()
        for row_id, row in rows.items():
            if row.matrix == matrix:
                head = lines[row.line - 1][: -len(f"| {row.cell} |")]
                lines[row.line - 1] = f"{head}| {cell(row.cell, shown.get(row_id, []))} |"
        matrix.write_text("\n".join(lines) + "\n", encoding="utf-8")


def add_rows_of_our_own(shown: dict[str, list[Test]]) -> None:
    rows = read_rows([])
    for row_id in sorted(set(shown) - set(rows), key=natural):
        says = shown[row_id][0].name.replace("_", " ").capitalize()
        if re.fullmatch(OWN, row_id):
            rfc, section, _ = row_id.split("-")
            insert(CONFORMANCE, OWN_ROWS, row_id, f"| {row_id} | {says}. | RFC {rfc} §{section} | open |")
        elif re.fullmatch(ADVISORY, row_id):
            insert(SECURITY, OWN_ADVISORIES, row_id, f"| {row_id} | {says}. | open |")


def insert(matrix: Path, heading: str, row_id: str, text: str) -> None:
    """Puts a row into the table under a heading, in order."""
    lines = matrix.read_text(encoding="utf-8").splitlines()
    at = next(number for number in range(lines.index(heading), len(lines)) if lines[number].startswith("|---")) + 1
    while at < len(lines) and (match := ROW.match(lines[at])) and natural(match[1]) < natural(row_id):
        at += 1
    lines.insert(at, text)
    matrix.write_text("\n".join(lines) + "\n", encoding="utf-8")


def natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


def tests_by_row(problems: list[str]) -> dict[str, list[Test]]:
    shown: dict[str, list[Test]] = {}
    for path in sources():
        for row_id, test in rows_of(path, problems):
            tests = shown.setdefault(row_id, [])
            if test not in tests:
                tests.append(test)
    return shown


def sources() -> list[Path]:
    found = [*ROOT.glob("crates/**/*.rs"), *ROOT.glob("tests/**/*.py")]
    return sorted(path for path in found if "target" not in path.relative_to(ROOT).parts)


COMMENT = re.compile(r"^\s*(?://|#)(?!\[|!)\s?(.*)$")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:async )?(?:fn|def) (\w+)")
ATTRIBUTE = re.compile(r"^\s*(?:#!?\[|@)")


def rows_of(path: Path, problems: list[str]) -> list[tuple[str, Test]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    name = path.relative_to(ROOT).as_posix().removeprefix("crates/")
    found = []
    for number, line in enumerate(lines):
        comment = COMMENT.match(line)
        ids = ids_in(comment[1]) if comment else []
        if not ids:
            continue
        function = function_below(lines, number) or function_around(lines, number)
        if function is None or not is_test(path, lines, *function):
            problems.append(f"{name}:{number + 1}: names {', '.join(ids)}, but no test that runs stands there")
            continue
        found += [(row_id, Test(name, function[1])) for row_id in ids]
    return found


def ids_in(comment: str) -> list[str]:
    """The ids behind the words CONFORMANCE and THREATS, which are written in capitals and go on to each other or the line's end."""
    ids = []
    for part in re.split(r"(?=\b(?:CONFORMANCE|THREATS|INTEROP)\b)", comment):
        if part.startswith("CONFORMANCE"):
            ids += RULE_ID.findall(part)
        elif part.startswith("THREATS"):
            ids += THREAT_ID.findall(part)
    return ids


def function_below(lines: list[str], number: int) -> tuple[int, str] | None:
    for at in range(number + 1, len(lines)):
        if match := FUNCTION.match(lines[at]):
            return at, match[2]
        if not (COMMENT.match(lines[at]) or ATTRIBUTE.match(lines[at]) or lines[at].strip().startswith("///")):
            return None
    return None


def function_around(lines: list[str], number: int) -> tuple[int, str] | None:
    depth = len(lines[number]) - len(lines[number].lstrip())
    for at in range(number - 1, -1, -1):
        match = FUNCTION.match(lines[at])
        if match and len(match[1]) < depth:
            return at, match[2]
    return None


def is_test(path: Path, lines: list[str], at: int, name: str) -> bool:
    if path.suffix == ".py":
        return name.startswith("test_")
    attributes = []
    while at > 0 and (ATTRIBUTE.match(lines[at - 1]) or COMMENT.match(lines[at - 1]) or lines[at - 1].strip().startswith("///")):
        at -= 1
        attributes.append(lines[at].strip())
    runs = any(re.match(r"#\[(?:\w+::)?test\b", attribute) for attribute in attributes)
    return runs and not any(attribute.startswith("#[ignore") for attribute in attributes)


def summary(matrix: Path, rows: dict[str, Row]) -> str:
    cells = [row.cell for row in rows.values() if row.matrix == matrix]
    still_open = cells.count("open")
    reasons = sum(1 for text in cells if REASON.match(text))
    name = matrix.relative_to(ROOT)
    return f"{name}: {len(cells)} rows, {len(cells) - still_open - reasons} shown, {reasons} with a reason, {still_open} open"


if __name__ == "__main__":
    sys.exit(main())
