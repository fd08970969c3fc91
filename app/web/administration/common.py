"""What the administrator's pages share: the provider, proposing, and telling what is wrong."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from app.api.administration_model import (
    ClientBody,
    GrantBody,
    KeyBody,
    SettingBody,
    content_of,
)
from app.approvals import proposing
from app.approvals.proposing import Act
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import act_once
from app.web.callers import caller_of

HOME: Final = "/administration"
_DEMONSTRATION: Final = "demonstration"  # where the demonstration's people sign in
Body = GrantBody | ClientBody | KeyBody | SettingBody


def issuer_of(request: Request) -> str:
    """The provider where people sign in, or the demonstration's own; empty without either."""
    settings = request.app.state.settings
    if settings.oidc_issuer:
        return str(settings.oidc_issuer)
    return _DEMONSTRATION if settings.demonstration_sign_in else ""


def propose_once(
    request: Request, session: Session, form: Mapping[str, str], body: Body
) -> Response:
    """Propose what a form asks for, once, and see the proposals. Raises as `propose` does."""
    caller, issuer = caller_of(request, session), issuer_of(request)
    content = content_of(body)

    def take(work: Work) -> str:
        proposing.propose(work, caller, issuer, Act(body.act), content)
        return HOME

    return act_once(request, session, form, take)


def body_or_faults(
    model: type[BaseModel], values: Mapping[str, Any], told: Mapping[str, str]
) -> tuple[Any, dict[str, str]]:
    """The body that the API takes, or what is wrong, by field; `told` is what to say of each."""
    try:
        return model.model_validate(values), {}
    except ValidationError as error:
        names = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
        return None, {name: told.get(name, "Correct this.") for name in sorted(names)}


def errors_of(faults: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
    """The faults for the summary at a page's top."""
    return [{"text": text, "href": f"#{prefix}-{name}"} for name, text in faults.items()]
