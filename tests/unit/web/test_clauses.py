"""What the pages promise in small: nearest arm, units, questions left out, nothing of the NHS's.

The NHS logo, the Frutiger font and the copyright line are not ours to use: no file of the pages
has any, nor does what set-up brings of the design system.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.api.decisions_model import findings_of
from app.policy import Kind, open_questions
from app.policy.cases import run_cases
from app.web import bring_assets
from app.web.assets import _FILES
from app.web.decision import finding_row
from app.web.form.fields import question_fields
from app.web.form.steps import only_open, steps_of
from tests.policies.library import POLICIES, cases, versions

ARMED = POLICIES / "rheumatology" / "upadacitinib-ra-severe"
ADALIMUMAB = POLICIES / "rheumatology" / "adalimumab-ra-severe"
TEMPLATES = Path(bring_assets.__file__).parent / "templates"
_NOT_OURS = re.compile(r"frutiger|nhs-?logo|nhsuk-logo|crown copyright|©", re.I)


def test_a_refused_finding_says_which_arm_came_nearest_and_by_how_much() -> None:
    held, told = versions(ARMED), 0
    for ran in run_cases(held, cases(ARMED)):
        for finding in findings_of(ran.decision) if ran.decision else ():
            row = finding_row(finding, held[ran.case.version])
            if finding.nearest is None:
                assert not any("Nearest" in each for each in row.notes)
                continue
            arm = next(each for each in finding.arms if each.id == finding.nearest.arm)
            met, of = finding.nearest.met, finding.nearest.of
            assert f"Nearest: {arm.text} ({met} of {of} parts met)." in row.notes
            assert arm.text
            told += 1
    assert told, "no case of this policy fails with an arm that came nearest"


def test_a_question_that_cannot_matter_any_more_is_not_shown_unless_it_is_answered() -> None:
    version = max(versions(ADALIMUMAB).values(), key=lambda each: each.in_force.from_)
    step = next(
        each
        for each in steps_of(version, Kind.INITIATION)
        if any(question.name == "methotrexate_unsuitable" for question in each.questions)
    )
    every = frozenset(each.name for each in step.questions)
    shown = only_open(step, every - {"methotrexate_unsuitable"}, {"with_methotrexate": True})
    assert "methotrexate_unsuitable" not in [each.name for each in shown.questions]
    assert "with_methotrexate" in [each.name for each in shown.questions]
    kept = only_open(step, every - {"methotrexate_unsuitable"}, {"methotrexate_unsuitable": False})
    assert "methotrexate_unsuitable" in [each.name for each in kept.questions]
    case = next(each for each in cases(ADALIMUMAB) if each.kind is Kind.INITIATION)
    answered = open_questions(version, Kind.INITIATION, {}, case.context)
    assert "methotrexate_unsuitable" in answered, "while nothing is answered, it may matter"


@pytest.mark.parametrize(("question", "unit"), [("dose_mg", "mg"), ("dose_interval_days", "days")])
def test_a_number_has_its_unit_beside_it(question: str, unit: str) -> None:
    version = max(versions(ADALIMUMAB).values(), key=lambda each: each.in_force.from_)
    (field,) = question_fields([version.questions[question]], {})
    assert field.control == "number"
    assert field.unit == unit
    (bare,) = question_fields([replace(version.questions[question], unit=None)], {})
    assert bare.unit is None


def test_nothing_of_the_nhss_that_we_may_not_use_is_in_the_pages_or_what_they_fetch() -> None:
    files = {
        str(each.relative_to(TEMPLATES)): each.read_text()
        for each in TEMPLATES.rglob("*")
        if each.is_file()
    }
    files |= {
        name: content.decode()
        for name, (content, _) in _FILES.items()
        if not name.startswith("nhsuk/")
    }
    assert "base.html" in files
    assert "pages.css" in files
    found = {name: _NOT_OURS.findall(text) for name, text in files.items()}
    assert {name: hits for name, hits in found.items() if hits} == {}
    brought = [name for name in _FILES if name.startswith("nhsuk/")]
    assert not [name for name in brought if "logo" in name]
    assert not [name for name in brought if "@font-face" in _FILES[name][0].decode()]


def test_what_is_brought_at_set_up_leaves_the_font_and_the_logo_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = tmp_path / "dist"
    (dist / "assets" / "images").mkdir(parents=True)
    (dist / "nhsuk-frontend.min.css").write_text(
        "@font-face{font-family:Frutiger W01;src:url(https://assets.nhs.uk/fonts/f.woff2)}"
        "html{font-family:Frutiger W01,arial,sans-serif}"
        "a{background:url(/assets/images/nhsuk-icon-cross.svg)}"
    )
    (dist / "nhsuk-frontend.min.js").write_text("export {};")
    for icon in ("nhsuk-icon-cross.svg", "nhs-logo.svg"):
        (dist / "assets" / "images" / icon).write_text("<svg/>")
    monkeypatch.setattr(bring_assets, "STATIC", tmp_path / "static")
    bring_assets.copy(dist)
    made = {each.name: each.read_text() for each in (tmp_path / "static").iterdir()}
    assert sorted(made) == [
        "nhsuk-frontend.min.css",
        "nhsuk-frontend.min.js",
        "nhsuk-icon-cross.svg",
    ]
    assert "@font-face" not in made["nhsuk-frontend.min.css"]
    assert "Frutiger" not in made["nhsuk-frontend.min.css"]
    assert "font-family:arial,sans-serif" in made["nhsuk-frontend.min.css"]
