"""Every reader of what strangers send, what it may raise, and what must hold of what it returns."""

import base64
import datetime as dt
import io
import json
import random
import re
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from app.api import strict_json
from app.approvals import reference
from app.approvals.import_cells import CellFault, DayRule, read_day
from app.approvals.import_errors import ImportNotAccepted
from app.approvals.import_layout import load_layout, read_sheet
from app.approvals.import_policies import index_of
from app.approvals.import_rows import Desk, read_rows
from app.approvals.library import Library
from app.audit import Keyring, checkpoints
from app.audit.errors import CheckpointUnreadable
from app.auth import assertions
from app.auth.errors import AssertionRefused
from app.auth.model import Caller, Role
from app.authoring.errors import BenchRefused
from app.authoring.forms.reading import read_forms
from app.backup import manifest
from app.backup.errors import BackupRefused
from app.policy import PolicyFileFaults, language, load_policy
from app.policy.answers import parse_answers
from app.policy.cases import read_cases
from app.policy.errors import AnswerFaults, ExpressionRefused
from app.policy.load import from_resolved
from app.policy.model import Kind
from app.policy.notices import load_notice
from app.policy.overlay import load_overlay
from app.problems import DoorProblem
from app.reconciliation import decode as intake
from app.reconciliation import parse, parse_dates
from app.reconciliation.errors import UnreadableSubmission
from app.reconciliation.intake import read_submission
from app.reference_data.clinical_code import read_code
from app.reference_data.drugs import load_drugs
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.organisations import load_organisations
from app.reference_data.tabular import NotATable, decode
from tests.fuzz import outside
from tests.fuzz.mutate import spoil, spoil_archive
from tests.fuzz.target import Target, files, texts
from tests.unit.authoring.test_forms import docx
from tests.unit.policy.makers import make_policy, policy_text

ROOT = Path(__file__).parents[2]
KEY = b"the key of the fuzz run, which is 32 characters or more"
NOON = dt.datetime(2026, 6, 15, 12, 0, tzinfo=dt.UTC)
TODAY = NOON.date()
AUDIENCE = "https://assent.example/oauth/token"


# --- what must hold -----------------------------------------------------------------------------


def _json(body: bytes) -> None:
    value = strict_json.parse(body)
    again = json.dumps(value, default=str, allow_nan=False).encode()
    assert "\\u0000" not in again.decode(), "a NUL character came through"


def _nhs(text: str) -> None:
    number = parse_nhs_number(text)
    assert re.fullmatch("[0-9]{10}", number), "not ten digits"
    assert parse_nhs_number(number) == number
    total = sum(int(d) * w for d, w in zip(number, range(10, 1, -1), strict=False))
    assert (11 - total % 11) % 11 == int(number[9]), "the check digit does not agree"


def _submission(data: bytes) -> None:
    found = read_submission(data, "file.csv")
    text, _ = intake.decode(data)
    rows = len(intake.rows_of(text, found.delimiter))
    told = len(found.preamble) + 1 + len(found.lines) + len(found.skipped)
    assert told == rows, "a row was dropped"


CELLS: tuple[Callable[[str], tuple[Any, str | None]], ...] = (
    *(parse.parse_text, parse.parse_money, parse.parse_quantity, parse.parse_boolean),
    *(parse.parse_nhs, parse.parse_pseudonym, parse.parse_identifier, parse.parse_organisation),
    *(parse.parse_clinical_code, parse.parse_withheld_reason, parse.parse_reference),
    *(parse_dates.parse_date, partial(parse_dates.parse_date, rule=parse_dates.BIRTH)),
    *(parse_dates.parse_financial_month, parse_dates.parse_financial_year),
)


def _cells(text: str) -> None:
    for parser in CELLS:
        value, why = parser(text)
        assert value is None or why is None, "a value and a reason why there is none"
        told = text.strip()
        assert why is None or len(told) < 8 or told not in why, "the reason repeats the cell"


def _import_cell(text: str) -> None:
    rule = DayRule(dt.date(1900, 1, 1), dt.date(2036, 1, 1), two_digit_years=True)
    day = read_day(text, rule)
    assert day is None or rule.earliest <= day <= rule.latest


@cache
def _desk() -> Desk:
    library = Library((make_policy(),))
    caller = Caller("fuzz", "Fuzz", "system", "DEMO1", Role.CLINICIAN, "fuzz", "fuzz")
    return Desk(
        caller, TODAY, library, index_of(library), load_drugs(), load_organisations(), load_layout()
    )


def _import(data: bytes) -> None:
    text, _ = decode(data, 16 * 1024 * 1024)
    sheet = read_sheet(text, load_layout())
    rows = read_rows(sheet, _desk())
    assert len(rows) <= len(text) + 1


def _expression(text: str) -> None:
    language.parse(text)


def _policy(text: str) -> None:
    version = load_policy(text, "fuzz.yaml")
    assert from_resolved(version.resolved).hash == version.hash, "stored and read differ"


@cache
def _asked() -> Any:
    return make_policy()


def _answers(raw: Any) -> None:
    kind = Kind.INITIATION
    try:
        found = parse_answers(_asked(), kind, raw, decision_to_treat=TODAY, today=TODAY)
    except AnswerFaults as refused:
        told = " ".join(f"{fault.message} {fault.mend}" for fault in refused.faults)
        assert "ZEPHANIAH" not in told, "the fault repeats an answer"
        raise
    assert set(found) <= set(raw)


def _answer(draw: random.Random, depth: int = 0) -> Any:
    plain: tuple[Any, ...] = (
        *(None, True, False, 0, -1, 10**30, "", "yes", "12.5", "1e5", "2026-06-15", "2026-13-40"),
        *("0001-01-01", "9999-12-31", "iv", "sc", "٣٤", "Zephaniah ZEPHANIAH", "x" * 5000, "\x00"),
    )
    if depth < 3 and draw.random() < 0.35:
        if draw.random() < 0.5:
            return [_answer(draw, depth + 1) for _ in range(draw.choice((0, 1, 3, 201)))]
        keys = ("value", "unit", "measured_on", "origin", "on", "disabling", "remark", "ZEPHANIAH")
        return {key: _answer(draw, depth + 1) for key in keys if draw.random() < 0.4}
    return draw.choice(plain)


def _answer_set(draw: random.Random) -> dict[str, Any]:
    names = (*_asked().questions, "unknown")
    return {name: _answer(draw) for name in names if draw.random() < 0.6}


@cache
def _key() -> RSAKey:
    return RSAKey.generate_key(3072)


def _assertion(text: str) -> None:
    assertions.claimed(text)
    found = assertions.check(text, _key().as_dict(private=False), AUDIENCE, NOON)
    assert found.expires_at <= NOON + dt.timedelta(minutes=6)


def _signed(draw: random.Random) -> str:
    """An assertion whose claims are spoilt and signed all the same, or a good one spoilt."""
    now = int(NOON.timestamp())
    claims: dict[str, Any] = {
        "iss": "client-1", "sub": "client-1", "aud": AUDIENCE, "exp": now + 240, "jti": "j-1",
        "iat": now,
    }  # fmt: skip
    header: dict[str, Any] = {"alg": "RS512", "kid": "key-1", "typ": "JWT"}
    if draw.random() < 0.02:
        claims[draw.choice(list(claims))] = _answer(draw)
        return jwt.encode(header, claims, _key(), algorithms=["RS512"])
    for part in (header, claims):
        for name in list(part):
            if draw.random() < 0.2:
                part[name] = _answer(draw)
    parts = [json.dumps(part).encode() for part in (header, claims)]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    whole = ".".join([*encoded, "AAAA"])
    return whole if draw.random() < 0.5 else spoil(draw, [whole])


def _reference(text: str) -> None:
    if reference.is_reference(text):
        assert len(text) <= 17
        assert text.isascii()
        assert text == text.upper()


def _manifest(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / manifest.NAME).write_bytes(text.encode("utf-8", "surrogatepass"))
        manifest.read(Path(folder), Keyring.of(KEY))


def _checkpoint(text: str) -> None:
    checkpoints.parse(text, {checkpoints.public_key(KEY)}, "line 1")


# --- seeds --------------------------------------------------------------------------------------


def _xlsx() -> bytes:
    """The smallest workbook of one sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    rows = (("A form",), ("1", "It is severe"), ("2", "It is confirmed"))
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{chr(64 + c)}{r}" t="inlineStr"><is><t>{text}</t></is></c>'
            for c, text in enumerate(row, start=1)
        )
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def _policy_texts() -> list[str]:
    """Small policies, and two packaged ones."""
    folder = ROOT / "policies" / "rheumatology" / "adalimumab-ra-severe"
    packaged = [path.read_text() for path in sorted(folder.glob("2*.yaml"))[:2]]
    return [policy_text(), policy_text(start=["flag AND recent >= 2"]), *packaged]


def _manifest_text() -> str:
    made = manifest.Manifest.__dataclass_fields__
    return json.dumps({name: 1 for name in made} | {"key_id": "k", "signature": "00"})


def _checkpoint_text() -> str:
    made = {name: 1 for name in checkpoints.Checkpoint.__slots__}
    return json.dumps(made | {"key": checkpoints.public_key(KEY), "signature": "00" * 64})


def _first(pattern: str) -> list[str]:
    return [path.read_text() for path in sorted((ROOT / "policies").glob(pattern))[:3]]


EXPRESSIONS = (
    "flag AND NOT other",
    "score >= 2.5 OR (age < 18 AND weight IS NOT NULL)",
    "route IN ('iv', 'sc') AND tested_on >= ADD_MONTHS(decision_to_treat, -12)",
    "AT_LEAST(2, flag, other, third)",
    "dose / weight <= 10 * (score - 1)",
    "CASE WHEN flag THEN 1 ELSE 2 END > 1",
)
WORDS = (
    "NOT ",
    " AND ",
    " OR ",
    "((",
    "))",
    "AT_LEAST(",
    "ADD_MONTHS(",
    " IS NULL",
    "SELECT ",
    ";",
)
CELL_SEEDS = (
    *("£1,234.56", "(12.00)", "-0.1", "1.2E+05", "9990000018", "999 000 0018", "9990000018.0"),
    *("2026-06-15", "15/06/2026", "15-Jun-26", "20260615", "45000", "15/06/2026 10:30:00", "04"),
    *("2026-06-15T23:30:00Z", "15th June 2026", "2526", "2025/26", "April", "Y", "no", "DEMO1"),
    *("426373005", "PA-ABCDEFGH", "Â£3.00", "'0042", "31/12/1899", "12.30.00", "00/00/0000"),
)
YAML_WORDS = (
    "- ",
    ": ",
    "? ",
    "|\n",
    ">\n",
    "{a: 1}",
    "&a",
    "*a",
    "!!python/object:x",
    "met_when: ",
)


def targets() -> tuple[Target, ...]:
    """Every reader."""
    submission = [(ROOT / "examples" / "submission.csv").read_bytes()[:6000]]
    export = [(ROOT / "examples" / "blueteq_export.csv").read_bytes()]
    requests = [path.read_text() for path in sorted((ROOT / "examples").glob("*.json"))[:6]]
    forms = [b"Form title,TA,No,Statement\nA form,TA1,1,It is severe\n,,2,It is confirmed\n"]
    words = [docx(("A form", False), ("1. Given only if:", False), ("it is severe", True))]
    cases = _first("*/adalimumab-ra-severe/cases.yaml")
    faults, refused = (PolicyFileFaults,), (ImportNotAccepted, NotATable)
    resolved = [make_policy().resolved]
    xml = (
        "<w:p>",
        "</w:p>",
        "<c r='A1'>",
        "<c r='XFD1048576'/>",
        "&lt;",
        "<![CDATA[",
        "<!ENTITY a",
    )
    return (
        Target("strict JSON", files([t.encode() for t in requests]), _json, (DoorProblem,)),
        Target("NHS number", texts(["999 000 0018", "9990000026", "999-000-0034"]), _nhs,
               (InvalidNhsNumber,)),
        Target("reference", texts(["PA" + "ABCDEFGH2345679"[:15]]), _reference),
        Target("clinical code", texts(["426373005", "22298006"]), read_code),
        Target("cells of a submission", texts(CELL_SEEDS), _cells),
        Target("submission", files(submission), _submission, (UnreadableSubmission,), 0.2),
        Target("cells of an import", texts(CELL_SEEDS), _import_cell, (CellFault,)),
        Target("import of approvals", files(export), _import, refused, 0.1),
        Target("expression", texts(EXPRESSIONS, WORDS), _expression, (ExpressionRefused,)),
        Target("policy", texts(_policy_texts(), (*YAML_WORDS, *EXPRESSIONS)), _policy, faults, 0.1),
        Target("stored version", texts(resolved), from_resolved, faults, 0.05),
        Target("overlay", texts(_first("*/*/overlay-*.yaml"), YAML_WORDS),
               lambda text: load_overlay(text, "fuzz.yaml"), faults, 0.1),
        Target("notice", texts([NOTICE], YAML_WORDS),
               lambda text: load_notice(text, "fuzz.yaml", "fuzz"), faults, 0.2),
        Target("worked cases", texts([cases[0][:3000]], YAML_WORDS),
               lambda text: read_cases(text, "cases.yaml"), faults, 0.1),
        Target("answers", _answer_set, _answers, (AnswerFaults,)),
        Target("form, CSV", files(forms), lambda data: read_forms(data, "f.csv"), (BenchRefused,)),
        Target("form, DOCX", lambda draw: spoil_archive(draw, words, xml),
               lambda data: read_forms(data, "f.docx"), (BenchRefused,), 0.3),
        Target("form, XLSX", lambda draw: spoil_archive(draw, [_XLSX], xml),
               lambda data: read_forms(data, "f.xlsx"), (BenchRefused,), 0.3),
        Target("assertion", _signed, _assertion, (AssertionRefused,)),
        Target("public key", texts([_pem()]), assertions.from_pem, (ValueError,), 0.3),
        Target("manifest of a backup", texts([_manifest_text()]), _manifest, (BackupRefused,), 0.3),
        Target("checkpoint", texts([_checkpoint_text()]), _checkpoint, (CheckpointUnreadable,)),
        *outside.targets(),
    )  # fmt: skip


NOTICE = """title: A safety notice
drugs: [adalimumab]
from: 2026-01-01
lifted: 2026-03-01
decide: refer
reason: Something was found.
source: {title: A source, url: "https://example.org/a"}
evidence: verified
"""
_XLSX = _xlsx()


def _pem() -> str:
    return _key().as_pem(private=False).decode()
