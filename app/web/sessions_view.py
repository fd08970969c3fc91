"""A person's open sessions in words. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.auth.own_sessions import OpenSession
from app.web.words import counted, instant_words

_UNKNOWN = "A browser that is not known"


@dataclass(frozen=True, slots=True)
class SessionCard:
    """One open session as the page tells of it."""

    id: str
    browser: str
    facts: tuple[tuple[str, str], ...]
    this: bool


def session_cards(found: Iterable[OpenSession]) -> tuple[SessionCard, ...]:
    """Each session, in the order given."""
    return tuple(_card(each) for each in found)


def ended_words(said: str) -> str:
    """What was ended just now, as the address says it; nothing for what is no such number."""
    if not (said.isascii() and said.isdigit() and len(said) < 4):
        return ""
    if int(said) == 0:
        return "No other session was open, so none was ended."
    what = counted(int(said), "session was", "sessions were")
    return f"{what} ended. Whoever uses {'it' if int(said) == 1 else 'them'} must sign in again."


def _card(found: OpenSession) -> SessionCard:
    role = f"{found.role} at {found.organisation}" if found.role else "no role chosen yet"
    facts = [("Role", role), ("Signed in", instant_words(found.began_at))]
    if not found.this:
        facts.append(("Last used", instant_words(found.used_at)))
        facts.append(("Ends by itself", f"{instant_words(found.ends_at)}, if nobody uses it"))
    return SessionCard(found.id, found.browser or _UNKNOWN, tuple(facts), found.this)
