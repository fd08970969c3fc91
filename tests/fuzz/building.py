"""Building the fuzz run's world over the API and by the worker: every kind of object, once."""

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import clock
from app.approvals.library import Library
from app.approvals.office import change_setting
from app.auth.assertions import from_pem
from app.auth.clients import add_key, register_client
from app.auth.holders import tie
from app.auth.model import Role
from app.auth.people import Seat as Placed
from app.auth.people import add_person, grant
from app.auth.store import register_caller
from app.db.work import Work
from tests.functional.approvals.api import (
    Api,
    answering,
    good,
    initiation,
    without,
)
from tests.functional.approvals.scene import (
    ADOPTING,
    ATTACHED,
    HANDING,
    IMPORT_ROW,
    PANEL_SETTING,
    SUBMISSION_ROW,
    run_of,
    set_scene,
    table,
    upload,
    work_off,
)
from tests.functional.conftest import ADMINISTRATOR
from tests.fuzz.grounds import Ground
from tests.fuzz.of_two import referred_to_two
from tests.fuzz.stage import (
    BEGUN,
    FIRST_NUMBER,
    KID,
    OLD,
    OWN,
    SEATS,
    SYSTEM,
    WORD,
    Seat,
    Stage,
    raised,
)
from tests.urgent import urgent_form


def build(ground: Ground, folder: Path, library: Library, public_key: str) -> None:
    """Make the world: its database where the ground has it, its files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    engines = ground.begun(folder)
    stage = raised(engines, folder, library, BEGUN, "world", 1)
    _register(stage, public_key)
    with TestClient(stage.app) as client:
        people = {seat.name: Api(client, seat.token) for seat in SEATS}
        set_scene(people, stage.app)
        _states(people)
        _reconciled(people, stage.app)
        _other_family(people, stage.app, "B", ("third clinician", "other commissioner"))
        _other_family(people, stage.app, "C", ("fifth clinician", "third commissioner"))
        work_off(stage.app)
    engines.dispose()


def _register(stage: Stage, public_key: str) -> None:
    def register(work: Work, seat: Seat) -> None:
        id_, _ = register_caller(
            work,
            ADMINISTRATOR,
            name=seat.name,
            kind="person",
            organisation=seat.organisation,
            role=seat.role,
            demonstration=True,
            token=seat.token,
        )
        known = add_person(
            work, ADMINISTRATOR, issuer="https://staff.test", subject=seat.name, name=seat.name
        )
        tie(work, ADMINISTRATOR, id_, known.id)

    def system(work: Work, organisation: str) -> None:
        for name in (SYSTEM, "Replaced system", "Second replaced system"):
            id_ = register_client(
                work,
                ADMINISTRATOR,
                name=f"{name} of {organisation}",
                role=Role.CLINICIAN,
                organisations=[organisation],
                scopes=["read", "check", "requests"],
            )
            add_key(work, ADMINISTRATOR, id_, KID, from_pem(public_key))
        for count in range(4):
            register_caller(
                work,
                ADMINISTRATOR,
                name=f"{OLD} {count}",
                kind="system",
                organisation=organisation,
                role=Role.AUDITOR,
            )

    def colleagues(work: Work, organisation: str) -> None:
        for count in range(5):
            name = f"colleague {count} of {organisation}"
            known = add_person(
                work, ADMINISTRATOR, issuer="https://staff.test", subject=name, name=name
            )
            grant(work, ADMINISTRATOR, known.id, Placed(organisation, Role.AUDITOR))

    def settings(work: Work) -> None:
        day = clock.london_day(BEGUN)
        for organisation, name, value in (
            ("DEMO2", "pharmacist_authorisation", True),
            ("DEMQ1", "panel", "DEMP1"),
            ("DEMQ2", "panel", "DEMP2"),
            ("QJ2", "panel", "DEMP3"),
        ):
            change_setting(work, organisation, name, value, day, "fuzz")

    door = stage.app.state.door
    for seat in SEATS:
        door.transact(partial(register, seat=seat))
    for organisation in ("DEMO1", "DEMO3", "RTG"):
        door.transact(partial(system, organisation=organisation))
        door.transact(partial(colleagues, organisation=organisation))
    door.transact(settings)


STOP: Final = {
    "kind": "stop",
    "decision_to_treat": "2026-06-15",
    "details": {"from_day": "2026-06-15", "stop_reason": "other"},
}


def _begun_urgently(people: Mapping[str, Api], count: Iterator[int]) -> Any:
    """Urgent starts that an office let begin, referred to the panel; the last of them."""
    for _ in range(8):
        form = urgent_form(next(count), clock.london_day(BEGUN))
        made = good(people["clinician"].post("/v1/requests", form), 201)
    return made


def _states(people: Mapping[str, Api]) -> None:
    """Requests and approvals of family A in every state."""
    count = itertools.count(20)

    def ask(who: str = "clinician", **answers: Any) -> Any:
        form = answering(initiation(next(count)), **answers) if answers else initiation(next(count))
        return good(people[who].post("/v1/requests", form), 201)

    def step(who: str, body: Any, name: str, sent: Any = None) -> Any:
        path = f"/v1/requests/{body['id']}/{name}"
        return good(people[who].post(path, sent, version=body["version"]))

    reason = {"reason": f"{WORD['A']} said so."}
    for _ in range(6):
        ask()
    for _ in range(4):  # more information needed, awaiting authorisation, criteria not met
        good(
            people["clinician"].post(
                "/v1/requests", without(initiation(next(count)), "das28_at_start")
            ),
            201,
        )
        ask("other clinician")
        ask(das28_at_start="5.1")
    for _ in range(10):
        ask(screened=False)  # referred to the panel
    clear = {"declares_no_interest": True}
    step("panel member", ask(screened=False), "panel-decline", reason | clear)
    begun = _begun_urgently(people, count)
    step("panel member", begun, "panel-overturn", reason | clear | {"doses_given": "paid"})
    step("panel member", ask(screened=False), "panel-return", {"question": "Why?"} | clear)
    step("panel member", ask(screened=False), "panel-approve", reason | clear)
    step("clinician", ask(screened=False), "withdraw", reason)
    referred_to_two(people, count, WORD["A"])
    for _ in range(6):  # asked of the commissioner, outside the policy
        form = initiation(next(count), route="individual funding")
        made = good(people["clinician"].post("/v1/requests", form), 201)
        for _ in range(3):
            good(people["clinician"].post(f"/v1/requests/{made['id']}/attachments", ATTACHED), 201)
    step("other pharmacist", ask("other clinician"), "authorise")
    step("other pharmacist", ask("other clinician"), "refuse-authorisation", reason)
    for _ in range(6):  # under query
        wrong = {"answers": {"das28_at_start": "4.9"}, **reason}
        step("clinician", ask(), "correct", wrong)
    for moved in (ask(), ask(), ask()):  # awaiting consent
        form = {
            "kind": "transfer",
            "decision_to_treat": "2026-06-15",
            "details": {"to_provider": "DEMO2", "from_day": "2026-07-01"},
        }
        at = f"/v1/treatments/{moved['treatment_id']}/requests"
        good(people["clinician"].post(at, form), 201)
    _patients(people, ask, next(count))
    stopped = ask()
    good(people["clinician"].post(f"/v1/treatments/{stopped['treatment_id']}/requests", STOP), 201)
    started = ask()
    at = f"/v1/treatments/{started['treatment_id']}"
    version = good(people["clinician"].get(at))["version"]
    good(
        people["clinician"].post(f"{at}/first-dose", {"first_dose": "2026-06-15"}, version=version)
    )
    for who in ("clinician", "delegate"):
        form = initiation(next(count))
        answers, policy = form.pop("answers"), form.pop("policy")
        typed = {"kind": "initiation", "policy": policy, "form": form, "answers": answers}
        for _ in range(3):
            good(people[who].post("/v1/drafts", typed), 201)
            form = initiation(next(count))
            answers, policy = form.pop("answers"), form.pop("policy")
            typed = {"kind": "initiation", "policy": policy, "form": form, "answers": answers}


def _patients(people: Mapping[str, Api], ask: Any, above: int) -> None:
    """Patients who died, who object, and whose records are linked or could be."""
    clinician, reason = people["clinician"], {"reason": f"{WORD['A']} said so."}

    def patient(asked: Any) -> str:
        path = f"/v1/treatments/{asked['treatment_id']}"
        return str(good(clinician.get(path))["patient"]["id"])

    for _ in range(3):
        good(clinician.post(f"/v1/patients/{patient(ask())}/objection", reason))
        died = {"died_on": "2026-06-14"}
        good(clinician.post(f"/v1/patients/{patient(ask())}/death", died))
    for number in range(6):
        # Without an approval: of two that run for one drug no link is made.
        form = answering(initiation(above + 200 + number), das28_at_start="2.0")
        del form["patient"]["nhs_number"]
        form["patient"]["no_nhs_number_reason"] = "overseas"
        unnumbered = patient(good(clinician.post("/v1/requests", form), 201))
        if number < 3:
            link = {"to": patient(ask()), **reason}
            good(clinician.post(f"/v1/patients/{unnumbered}/links", link))


def _reconciled(people: Mapping[str, Api], app: FastAPI) -> None:
    """Terms, a calendar, a month of several lines, its challenges in every state, a few imports."""
    payer, trust = people["commissioner"], people["pharmacist"]
    rows = [
        SUBMISSION_ROW,
        SUBMISSION_ROW | {"DRUG NAME": "HUMIRRAA PENN", "FINANCIAL MONTH": "2"},
        SUBMISSION_ROW | {"NHS NUMBER": "", "TOTAL COST": "1.00"},
    ]
    for position, row in enumerate(rows):
        run = run_of(payer, app, table(row | {"TOTAL COST": f"{310 + position}.00"}))
        for drafted in good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]:
            at = f"/v1/challenges/{drafted['id']}"
            if position:
                day = {"respond_by": "2026-07-31"}
                raised_ = good(payer.post(f"{at}/raise", day, version=drafted["version"]))
                if position > 1:
                    words = {"evidence": f"{WORD['A']} had it."}
                    good(trust.post(f"{at}/answer", words, version=raised_["version"]))
    for position in range(3):
        row = IMPORT_ROW | {
            "Blueteq ID": f"BLQ-A{position}",
            "NHS No": initiation(910 + position)["patient"]["nhs_number"],
            "Hospital No": f"H00091{position}",
        }
        good(upload(trust, "/v1/imports", table(row)), 201)
    for day in ("2026-08-01", "2026-09-01", "2026-10-01"):
        adopting = ADOPTING | {"policy": "etanercept-ra-severe", "from_day": day}
        at = "/v1/adoption-proposals"
        made = good(payer.post(at, adopting), 201)
        if day != "2026-10-01":
            second = people["second commissioner"]
            good(second.post(f"{at}/{made['id']}/{'confirm' if '08' in day else 'decline'}"))
        handing = HANDING | {"drug": "infliximab", "why": f"By {day}."}
        who = people[("commissioner", "second commissioner")[day == "2026-08-01"]]
        handing |= {"from_day": day.replace("2026", "2025")}
        good(who.post("/v1/hand-over-proposals", handing), 201)
    for position in range(4):
        who = people[("administrator", "second administrator")[position % 2]]
        proposed = PANEL_SETTING | {"from_day": f"2026-12-1{position}"}
        good(who.post("/v1/administration/proposals", proposed), 201)
        name = {"name": f"HUMIRRAA PEN {position}", "drug": "adalimumab"}
        good(payer.post("/v1/drug-names", name), 201)


def _other_family(
    people: Mapping[str, Api], app: FastAPI, family: str, who: tuple[str, str]
) -> None:
    """What another family's hospital, payer and panel have of their own."""
    clinician, payer = (people[name] for name in who)
    (provider, commissioner), first = OWN[family], FIRST_NUMBER[family]

    def ask(sequence: int, **answers: Any) -> Any:
        form = initiation(first + sequence, commissioner=commissioner)
        return good(clinician.post("/v1/requests", answering(form, **answers)), 201)

    own = [ask(sequence) for sequence in range(4)]
    ask(5, screened=False)
    ask(6, das28_at_start="5.1")
    wrong = {"answers": {"das28_at_start": "4.9"}, "reason": f"{WORD[family]} said so."}
    at = f"/v1/requests/{own[0]['id']}/correct"
    good(clinician.post(at, wrong, version=own[0]["version"]))
    form = initiation(first + 7, commissioner=commissioner)
    answers, policy = form.pop("answers"), form.pop("policy")
    typed = {"kind": "initiation", "policy": policy, "form": form, "answers": answers}
    good(clinician.post("/v1/drafts", typed), 201)
    row = SUBMISSION_ROW | {
        "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": provider,
        "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": commissioner,
        "NHS NUMBER": initiation(first + 8)["patient"]["nhs_number"],
    }
    run = run_of(payer, app, table(row))
    for drafted in good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]:
        day = {"respond_by": "2026-07-31"}
        version = drafted["version"]
        good(payer.post(f"/v1/challenges/{drafted['id']}/raise", day, version=version))
