"""Asked of many patients at once, the answer is the one that each alone would get."""

import datetime as dt
from collections.abc import Mapping

from app.approvals import objecting, patients, standing, store
from app.approvals.elsewhere import known_people, live_elsewhere
from app.approvals.lifecycle import RequestState
from app.approvals.model import NoNumberReason, PatientRecord, StopReason, TreatmentRecord
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.world import CLINICIAN, COMMISSIONER, OTHER_CLINICIAN, World, patient

LATER = dt.date(2026, 8, 1)
BORN = dt.date(1970, 1, 1)
DRUGS = ("adalimumab", "natalizumab")
Found = dict[tuple[str, str], TreatmentRecord]


def one_by_one(work: Work, caller: Caller, people: Mapping[str, PatientRecord]) -> Found:
    """The rule in its plain words: the first live treatment with the drug at another provider."""
    found: Found = {}
    for person in people.values():
        if objecting.stands(work, person):
            continue
        same = patients.same_person(work, person.canonical_id)
        for drug in DRUGS:
            for each in store.all_treatments_of(work, same):
                other = each.provider != caller.organisation and each.drug == drug
                with work.beyond_scope():
                    if other and standing.is_live(work, each, work.moment.day):
                        found.setdefault((person.canonical_id, drug), each)
    return found


def make_people(world: World) -> None:
    """1 has both drugs; 2 stopped; 3 objects; 4 is linked to; 5 asked only; 6 took it back; 7 has
    it at the other hospital."""
    world.submit(patient=patient(1))
    world.trial(patient=patient(1))
    for sequence in (2, 3, 6):
        world.trial(patient=patient(sequence))
    unnumbered = patient(
        4, nhs_number=None, no_nhs_number_reason=NoNumberReason.NEWBORN, local_id="OLD4"
    )
    first = world.submit(patient=unnumbered).request.treatment_id
    second = world.trial(patient=patient(4)).request.treatment_id
    ids = [world.treatment(each).treatment.patient_id for each in (first, second)]
    world.do(lambda w: patients.link(w, CLINICIAN, ids[0], ids[1], "same person"))
    asked = world.trial(patient=patient(5), answers={"score": "6.0", "risk": False, "usual": False})
    assert asked.request.state is not RequestState.APPROVED
    world.trial(OTHER_CLINICIAN, patient=patient(7))
    world.on(LATER)
    people = world.do(lambda w: known_people(w, {invented_nhs_number(n): BORN for n in (2, 3, 6)}))
    for sequence, person in zip((2, 3, 6), people.values(), strict=True):
        assert person.nhs_number == invented_nhs_number(sequence)
    second_id, third, sixth = (people[invented_nhs_number(n)] for n in (2, 3, 6))
    (stopping,) = world.do(lambda w: store.all_treatments_of(w, [second_id.id]))
    why = {"stop_reason": StopReason.NO_RESPONSE}
    world.change(stopping.id, Kind.STOP, from_day=LATER, **why)
    for person in (third, sixth):
        world.do(lambda w, one=person: objecting.record_objection(w, CLINICIAN, one.id, "Said so."))
    world.do(lambda w: objecting.withdraw_objection(w, CLINICIAN, sixth.id, "Said so."))


def test_many_are_told_what_each_alone_is_told(wide: World) -> None:
    make_people(wide)
    born = {invented_nhs_number(n): BORN for n in range(1, 9)}
    born[invented_nhs_number(1)] = BORN
    wide.on(LATER)
    lengths = set()
    for day in (LATER, dt.date(2030, 1, 1)):
        wide.on(day)
        for caller in (CLINICIAN, OTHER_CLINICIAN, COMMISSIONER):

            def ask(work: Work, caller: Caller = caller) -> tuple[Found, Found]:
                people = known_people(work, born)
                alone = {
                    number: found
                    for number, birth in born.items()
                    if (found := patients.known_by(work, number, birth)) is not None
                }
                assert people == alone
                asked = {each.canonical_id: set(DRUGS) for each in people.values()}
                together = live_elsewhere(work, caller, asked)
                return together, one_by_one(work, caller, people)

            together, alone = wide.database.read(ask, moment=wide.moment, scope=caller.organisation)
            assert together == alone
            lengths.add(len(together))
    assert 5 in lengths, "1 twice, 4 twice, 6; neither 2, 3, 5 nor their own 7"


def test_a_birth_date_that_does_not_fit_is_nobodys(wide: World) -> None:
    wide.trial(patient=patient(1))
    number = invented_nhs_number(1)
    assert wide.do(lambda w: known_people(w, {number: BORN}))[number].nhs_number == number
    assert wide.do(lambda w: known_people(w, {number: BORN + dt.timedelta(days=1)})) == {}
    assert wide.do(lambda w: known_people(w, {})) == {}
    assert wide.do(lambda w: live_elsewhere(w, CLINICIAN, {})) == {}
