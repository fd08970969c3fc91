"""Working out a score of a draft's form on a page of its own, which fills its field."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter

from app.approvals import drafting
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library_files import load_shelf
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import Question, Shelf
from app.problems import NO_SUCH_ADDRESS, DoorProblem
from app.web import filling
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.filling import Filling
from app.web.form.fields import errors_of
from app.web.form.scores import SCORES, Worked, formula_of, part_fields, parts_typed, worked
from app.web.form.steps import step_asking
from app.web.form.typed import measured_on
from app.web.pages import PageRoute, check_csrf, go, in_role
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath
from app.web.words import unit_words

router = APIRouter(prefix="/drafts", route_class=PageRoute, include_in_schema=False)

ScorePath = Annotated[str, PathParameter(pattern="^[a-z0-9_]{1,60}$")]
FormulaName = Annotated[str, Query(pattern="^[a-z0-9-]{0,60}$")]
_NONE: Final = "These values give no score that the form takes. Look at them again."


@router.get("/{id}/work-out/{question}")
def ask(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    question: ScorePath,
    by: FormulaName = "",
) -> Response:
    """The parts of the score."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.PREPARE)

    def read(work: Work) -> tuple[Filling, Reading]:
        found = _filling(work, office, caller, id)
        return found, Reading("draft read", found.draft.treatment_id, names={"draft": id})

    found = read_recorded(request, caller, read)
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    return _shown(request, session, found, question, by, {})


@router.post("/{id}/work-out/{question}")
def work_it_out(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    question: ScorePath,
    form: FormFields,
) -> Response:
    """Show the working; once that was seen, put the figure into the form's field."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.PREPARE)
    found = in_role(request, session, lambda work: _filling(work, office, caller, id))
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    asked, name = _asked(found, question), _formula(question, form.get("by", ""))
    formula = formula_of(_shelf(request.app.state.settings.policies_dir), name)
    parts, wrong = parts_typed(formula, form)
    score = None if wrong else worked(formula, parts, asked)
    if score is None or form.get("use") != "yes":
        said = {} if wrong or score is not None else {"": _NONE}
        return _shown(request, session, found, question, name, form, wrong | said, score)

    def fill(work: Work) -> str:
        draft = drafting.find_draft(work, caller, id)
        answers = {**draft.answers, question: _answer(asked, draft.answers, score.figure)}
        drafting.change(work, caller, id, draft.form, answers, version_in(form))
        step = step_asking(found.steps, question)
        return step.key if step is not None else "check"

    return go(f"/drafts/{id}/{in_role(request, session, fill)}")


def _filling(work: Work, office: Office, caller: Caller, id: str) -> Filling:
    return filling.fill(work, office, caller, drafting.find_draft(work, caller, id))


def _asked(found: Filling, question: str) -> Question:
    """The question, if it is a score that the draft's form asks for."""
    if question not in SCORES or step_asking(found.steps, question) is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "The form has no such score. Open the draft again.")
    return found.version.questions[question]


def _formula(question: str, by: str) -> str:
    """The formula that was chosen, or the first of the question's."""
    if by and by not in SCORES[question]:
        raise DetailsNotAccepted("by", "The score is not worked out by that formula.")
    return by or SCORES[question][0]


def _answer(question: Question, answers: Mapping[str, Any], figure: str) -> Any:
    """The figure as the form's field would give it; the day of the measurement stays."""
    day = measured_on(answers.get(question.name))
    whole: dict[str, Any] = {"value": figure}
    if question.unit is not None:
        whole["unit"] = question.unit
    if day is not None:
        whole["measured_on"] = day
    return whole if len(whole) > 1 else figure


@cache
def _shelf(folder: Path) -> Shelf:
    return load_shelf(folder)


def _shown(
    request: Request,
    session: Session,
    found: Filling,
    question: str,
    by: str,
    typed: Mapping[str, str],
    wrong: Mapping[str, str] | None = None,
    score: Worked | None = None,
) -> Response:
    asked, name = _asked(found, question), _formula(question, by)
    shelf = _shelf(request.app.state.settings.policies_dir)
    formula = formula_of(shelf, name)
    wrong = dict(wrong or {})
    fields = part_fields(formula, typed, wrong)
    errors = errors_of(fields)
    if "" in wrong:
        errors.append({"text": wrong[""], "href": f"#{fields[0].id}"})
    step = step_asking(found.steps, question)
    return page(
        request,
        "work_out.html",
        status=422 if errors else 200,
        session=session,
        title=f"Work it out: {asked.label}",
        policy_title=found.version.title,
        unverified=found.version.unverified,
        back=f"/drafts/{found.draft.id}/{step.key if step else 'check'}",
        action=f"/drafts/{found.draft.id}/work-out/{question}",
        version=found.draft.version,
        by=name,
        others=[(each, formula_of(shelf, each)["title"]) for each in SCORES[question]],
        formula=formula,
        fields=fields,
        score=score,
        unit=unit_words(asked.unit),
        errors=errors,
    )
