"""People take a name for a drug: one proposes, another accepts, and either act is audited.

An accepted spelling holds for that whole name and nothing else, in runs made from then on, whatever
the day of supply: of the organisation that accepted it, or of all where the people who run the
service did. It may be withdrawn; runs that used it keep their outcome and the digest of what they
knew (ADR 22).
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from sqlalchemy import RowMapping, and_, insert, select, update

from app.approvals.permissions import Action, check_can
from app.audit import Event, record
from app.auth import holders
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation import service, store
from app.reconciliation.errors import SpellingNotAccepted, SpellingNotFound
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.model import LineKind
from app.reconciliation.run_lines import RunLines, open_run
from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.service import Desk
from app.reconciliation.spelling_review import Charged, UnknownName, names_of, spelling_of
from app.reconciliation.terms_store import terms_for

_TABLE = tables.drug_spelling
LONGEST = 255
NEWEST = 20


def review(work: Work, desk: Desk, caller: Caller) -> tuple[UnknownName, ...]:
    """The unrecognised names of the newest run of each of the caller's newest submissions."""
    check_can(caller, Action.KEEP_TERMS)
    dictionary = service.knowing(desk.dictionary, terms_for(work, caller).spellings)
    sent = store.submissions_of(work, caller.organisation, NEWEST)
    newest = [each.id for each in sent if each.ended_at is None]
    runs = store.standing_runs(work, caller.organisation, newest)
    lines = [
        item
        for submission in newest
        if submission in runs
        for item in unrecognised(open_run(work, desk, caller, runs[submission].id))
    ]
    return names_of(lines, dictionary)


def unrecognised(opened: RunLines | LargeLines) -> Iterator[Charged]:
    """The lines that charge for nothing known, of which no more is read."""
    if isinstance(opened, LargeLines):
        with opened.asking() as reading:
            yield from reading.unrecognised()
        return
    (kinds,) = opened.came_to("kind")
    stated = zip(kinds, *opened.stated("drug_name", "total_cost", "shifted"), strict=True)
    for kind, name, total, shifted in stated:
        if kind == LineKind.UNKNOWN and name and not shifted:
            yield Charged(name, None if total is None else Decimal(total))


def review_run(work: Work, desk: Desk, caller: Caller, run_id: str) -> tuple[UnknownName, ...]:
    """The unrecognised names of one run; RunNotFound where it is not the caller's."""
    check_can(caller, Action.KEEP_TERMS)
    dictionary = service.knowing(desk.dictionary, terms_for(work, caller).spellings)
    return names_of(unrecognised(open_run(work, desk, caller, run_id)), dictionary)


def propose(
    work: Work, desk: Desk, caller: Caller, name: str, drug: str, product: str | None
) -> RowMapping:
    """Propose that a name means a drug, which decides nothing until another person accepts it.

    Raises NotAllowed for a credential that is tied to no person, and SpellingNotAccepted for a drug
    or product that is not in the dictionary, a name that it knows, one that is too long or holds no
    word, and one that was proposed or accepted before.
    """
    check_can(caller, Action.KEEP_TERMS)
    holders.check_person(work, caller, "propose what a name means")
    return _propose(work, desk, caller, name, drug, product)


def take_by_two(
    work: Work,
    desk: Desk,
    callers: tuple[Caller, Caller],
    name: str,
    drug: str,
    product: str | None,
    *,
    registered: bool,
) -> RowMapping:
    """Take a name for a drug at once, by two people whom an operator names.

    Raises CallerNotAccepted where they are one person, and with `registered` where one is not
    known here.
    """
    first, second = callers
    check_can(first, Action.KEEP_TERMS)
    holders.check_two_named(work, first.name, second.name, registered=registered)
    return _accept(work, second, _propose(work, desk, first, name, drug, product))


def _propose(
    work: Work, desk: Desk, caller: Caller, name: str, drug: str, product: str | None
) -> RowMapping:
    words = _usable(desk, name, drug, product)
    if _standing(work, caller, words) is not None:
        raise SpellingNotAccepted(
            "This name was proposed or accepted before. Withdraw that first if it is wrong."
        )
    spelling_id = work.new_id()
    work.connection.execute(
        insert(_TABLE).values(
            id=spelling_id,
            organisation=caller.organisation,
            words=words,
            standing=words,
            drug=drug,
            product=product,
            proposed_by=caller.id,
            proposed_at=work.moment.instant,
        )
    )
    after: dict[str, object] = {"words": words, "drug": drug, "product": product}
    _record(work, caller, "drug name proposed", spelling_id, after)
    return _own(work, caller, spelling_id)


def accept(work: Work, caller: Caller, spelling_id: str) -> RowMapping:
    """Accept what another person proposed. Runs made from now on use it.

    Raises SpellingNotFound, SpellingNotAccepted for one's own proposal, by whatever credential, and
    for one that no longer waits, and NotAllowed where either is no person.
    """
    check_can(caller, Action.KEEP_TERMS)
    known = _own(work, caller, spelling_id, lock=True)
    if known["standing"] is None or known["accepted_at"] is not None:
        raise SpellingNotAccepted("The proposal no longer waits. Read it again.")
    another = "Ask another person of your organisation to accept it."
    if holders.same_holder(work, known["proposed_by"], caller.id):
        raise SpellingNotAccepted(f"You proposed it yourself. {another}")
    holders.check_second(work, caller, known["proposed_by"], "accept that name", another)
    return _accept(work, caller, known)


def _accept(work: Work, caller: Caller, known: RowMapping) -> RowMapping:
    spelling_id = known["id"]
    day = work.moment.day
    values = {"accepted_by": caller.id, "accepted_at": work.moment.instant, "accepted_on": day}
    _change(work, spelling_id, values)
    after = {"words": known["words"], "drug": known["drug"], "from": day.isoformat()}
    _record(work, caller, "drug name accepted", spelling_id, after)
    return _own(work, caller, spelling_id)


def withdraw(work: Work, caller: Caller, spelling_id: str, reason: str) -> RowMapping:
    """Take a proposal or an accepted spelling back. Runs made from now on do not use it."""
    check_can(caller, Action.KEEP_TERMS)
    known = _own(work, caller, spelling_id, lock=True)
    if known["standing"] is None:
        raise SpellingNotAccepted("It was withdrawn before. Read it again.")
    _change(
        work,
        spelling_id,
        {
            "withdrawn_by": caller.id,
            "withdrawn_at": work.moment.instant,
            "withdrawn_why": reason,
            "standing": None,
        },
    )
    _record(work, caller, "drug name withdrawn", spelling_id, {"reason": reason})
    return _own(work, caller, spelling_id)


def spellings_of(work: Work, caller: Caller) -> Sequence[RowMapping]:
    """The organisation's spellings and those for every organisation, withdrawn ones too."""
    check_can(caller, Action.KEEP_TERMS)
    column = _TABLE.c
    seen = column.organisation.in_((caller.organisation, ALL_ORGANISATIONS))
    query = select(_TABLE).where(seen).order_by(column.words, column.proposed_at, column.id)
    return work.connection.execute(query).mappings().all()


def _usable(desk: Desk, name: str, drug: str, product: str | None) -> str:
    words = spelling_of(name)
    known = desk.dictionary.drugs.get(drug)
    if known is None:
        raise SpellingNotAccepted("No such drug is in the dictionary. Use its key.")
    if product is not None and product not in {each.key for each in known.products}:
        raise SpellingNotAccepted("No such product of this drug is in the dictionary.")
    if not any(word.isalpha() for word in words.split(" ")) or len(words) > LONGEST:
        raise SpellingNotAccepted(f"A name holds a word, and at most {LONGEST} characters.")
    found = desk.dictionary.recognise(None, name, None)
    if found.drug is not None or found.candidates:
        raise SpellingNotAccepted(
            "The dictionary knows a drug in this name. Ask for its table to be corrected instead."
        )
    return words


def _standing(work: Work, caller: Caller, words: str) -> RowMapping | None:
    column = _TABLE.c
    own = and_(column.organisation == caller.organisation, column.standing == words)
    return work.connection.execute(select(_TABLE).where(own)).mappings().one_or_none()


def _own(work: Work, caller: Caller, spelling_id: str, *, lock: bool = False) -> RowMapping:
    column = _TABLE.c
    own = and_(column.organisation == caller.organisation, column.id == spelling_id)
    query = select(_TABLE).where(own)
    if lock:
        query = query.with_for_update()  # SQLite has one writer and ignores this
    row = work.connection.execute(query).mappings().one_or_none()
    if row is None:
        raise SpellingNotFound
    return row


def _change(work: Work, spelling_id: str, values: dict[str, object]) -> None:
    work.connection.execute(update(_TABLE).where(_TABLE.c.id == spelling_id).values(**values))


def _record(
    work: Work, caller: Caller, action: str, spelling_id: str, after: dict[str, object]
) -> None:
    event = Event(action=action, object_type="drug name", object_id=spelling_id, after=after)
    record(work, caller.actor(), event)
