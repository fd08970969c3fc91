"""The routes of the pages, as `app/api/matrix.py` lists those of the API. It is made of both."""

from typing import Final

from app.approvals.permissions import Action

ANYBODY: Final = "anybody: it tells nothing of anybody"
BROWSER: Final = "a browser that is signed in, or is signing in: its own session"
PROVIDER: Final = "the identity provider, with a logout token that it signed"

_A = Action
#: Method and path → the action, or the words above.
PAGE_ROUTES: Final[dict[str, Action | str]] = {
    "GET /assets/{name:path}": ANYBODY,
    "GET /about": ANYBODY,
    "GET /help": ANYBODY,
    "GET /accessibility": ANYBODY,
    "GET /cookies": ANYBODY,
    "GET /sign-in": ANYBODY,
    "GET /sign-in/start": BROWSER,
    "GET /sign-in/callback": BROWSER,
    "POST /sign-in/demonstration": "anybody, in demonstration mode only",
    "POST /sign-in/back-channel-logout": PROVIDER,
    "POST /sign-out": BROWSER,
    "GET /signed-out": ANYBODY,
    "GET /role": BROWSER,
    "POST /role": BROWSER,
    "GET /": BROWSER,
    "GET /start": _A.PREPARE,
    "GET /start/{policy}": _A.PREPARE,
    "POST /start/{policy}": _A.PREPARE,
    "GET /drafts/{id}": _A.PREPARE,
    "GET /drafts/{id}/begun": _A.PREPARE,
    "GET /drafts/{id}/{step}": _A.PREPARE,
    "POST /drafts/{id}/{step}": _A.PREPARE,
    "POST /drafts/{id}/discard": _A.PREPARE,
    "POST /drafts/{id}/submit": _A.SUBMIT,
    "GET /requests/{id}": _A.READ,
    "GET /requests/{id}/answers": _A.READ,
    "POST /requests/{id}/answers": _A.AMEND,
    "POST /requests/{id}/withdraw": _A.WITHDRAW,
    "POST /requests/{id}/escalate": _A.ESCALATE,
    "POST /requests/{id}/authorise": _A.AUTHORISE,
    "POST /requests/{id}/refuse-authorisation": _A.AUTHORISE,
    "POST /requests/{id}/panel-approve": _A.DECIDE_AS_PANEL,
    "POST /requests/{id}/panel-decline": _A.DECIDE_AS_PANEL,
    "POST /requests/{id}/panel-return": _A.DECIDE_AS_PANEL,
    "POST /requests/{id}/declare-interest": _A.DECIDE_AS_PANEL,
    "POST /requests/{id}/consent": _A.CONSENT,
    "POST /requests/{id}/refuse-consent": _A.CONSENT,
    "POST /requests/{id}/fund": _A.FUND,
    "GET /patients": _A.READ,
    "POST /patients": _A.READ,
    "GET /treatments/{id}": _A.READ,
    "POST /treatments/{id}/requests": _A.PREPARE,
    "POST /treatments/{id}/first-dose": _A.RECORD_START,
}
