"""Administration in words: what a proposal would do, who has which role, which keys there are.

Pure.
"""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.approvals.proposing import Proposal
from app.approvals.second_person import CONFIRMABLE
from app.auth.model import Role
from app.auth.people import Person
from app.auth.scopes import SCOPES
from app.reference_data.drugs import load_drugs
from app.web.decision import Colour
from app.web.words import day_words, first_upper, instant_words

ROLES: Final = tuple((role.value, first_upper(role.value)) for role in Role)
SCOPE_WORDS: Final = tuple((name, f"{name}: {words}") for name, words in SCOPES.items())
#: Setting → its name in words, and what it means.
SETTINGS: Final[dict[str, tuple[str, str]]] = {
    "pharmacist_authorisation": (
        "The trust's pharmacist authorises first",
        "No approval is issued before the pharmacist has authorised it.",
    ),
    "panel": (
        "Panel for referred requests",
        "The code of one panel; or lines such as “adalimumab-ra-severe: DEMP1”, with “*” for every "
        "other policy.",
    ),
    "approval_not_required": (
        "Drugs that need no approval",
        "One drug a line, by the key that the policies use, such as “adalimumab”.",
    ),
    "back_entry_covers": (
        "A form on paper covers from its signature",
        "Where the service could not be reached. Otherwise it covers from its entry.",
    ),
}
_STATES: Final[dict[str, tuple[str, Colour]]] = {
    "waiting": ("Waits for a second administrator", "yellow"),
    "confirmed": ("Confirmed", "green"),
    "declined": ("Declined", "grey"),
}


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal, and what the reader may do about it."""

    id: str
    title: str
    facts: tuple[tuple[str, str], ...]
    state: str
    colour: Colour
    may_confirm: bool
    may_decline: bool
    own: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody with a role here, or who acts here now."""

    id: str
    name: str
    subject: str
    roles: tuple[tuple[str, str], ...]
    acts: str
    is_reader: bool


@dataclass(frozen=True, slots=True)
class SystemRow:
    """A system that acts for the organisation."""

    id: str
    name: str
    facts: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    revoked: bool
    may_change: bool


def proposal_rows(
    found: Iterable[Proposal],
    names: Mapping[str, str],
    systems: Mapping[str, str],
    reader: str,
    now: dt.datetime,
) -> tuple[ProposalRow, ...]:
    """Those that wait first, then the newest, as they came. `names` are people's, by id."""
    return tuple(_proposal(each, names, systems, reader, now) for each in found)


def _proposal(
    found: Proposal,
    names: Mapping[str, str],
    systems: Mapping[str, str],
    reader: str,
    now: dt.datetime,
) -> ProposalRow:
    waits, own = found.state == "waiting", found.proposed_by == reader
    stale = waits and now - found.proposed_at > CONFIRMABLE
    state, colour = _STATES[found.state]
    title, facts = content_words(found.act.value, found.content, systems)
    proposed = f"{instant_words(found.proposed_at)}, by {_name(found.proposed_by, names)}"
    facts = (*facts, ("Proposed", proposed))
    if found.decided_at is not None and found.decided_by is not None:
        decided = f"{instant_words(found.decided_at)}, by {_name(found.decided_by, names)}"
        facts = (*facts, (state, decided))
    return ProposalRow(
        id=found.id,
        title=title,
        facts=facts,
        state=state,
        colour=colour,
        may_confirm=waits and not own and not stale,
        may_decline=waits,
        own=own,
        stale=stale,
    )


def content_words(
    act: str, content: Mapping[str, Any], systems: Mapping[str, str]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What a proposal would do: a title, and its details."""
    if act == "grant role":
        return (
            f"Give {content['name']} the role {content['role']}",
            (("Their id at the provider", content["subject"]),),
        )
    if act == "register client":
        return (
            f"Register the system {content['name']}",
            (("As", content["role"]), ("For", ", ".join(content["scopes"]))),
        )
    if act == "add client key":
        name = systems.get(content["client_id"], content["client_id"])
        return (
            f"Give the system {name} the key {content['kid']}",
            (("Fingerprint of the key", thumbprint(content["jwk"])),),
        )
    if act == "change setting":
        name, value = content["setting"], setting_words(content["value"])
        words = SETTINGS.get(name, (name, ""))[0]
        return (
            f"Change the setting “{words}”",
            (("To", value), ("From", day_words(content["from_day"]))),
        )
    told = tuple((first_upper(k.replace("_", " ")), str(v)) for k, v in content.items())
    return first_upper(act), told


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of a public RSA key (RFC 7638), for two people to compare."""
    canonical = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def setting_words(value: Any) -> str:
    """A setting's value in words."""
    if value is None:
        return "never set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_drug(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {code}" for key, code in value.items())
    return str(value)


def person_rows(
    granted: Sequence[tuple[Person, tuple[Role, ...]]],
    acting: Sequence[tuple[Person, Role, dt.datetime]],
    reader: str,
) -> tuple[PersonRow, ...]:
    """Everybody with a role granted here, and whoever acts here now, by name."""
    people = {person.id: person for person, _ in granted}
    people |= {person.id: person for person, _, _ in acting}
    roles = {person.id: found for person, found in granted}
    rows = []
    for person in sorted(people.values(), key=lambda each: (each.name, each.id)):
        now = [(role, seen) for who, role, seen in acting if who.id == person.id]
        rows.append(
            PersonRow(
                id=person.id,
                name=person.name,
                subject=person.subject,
                roles=tuple((r.value, first_upper(r.value)) for r in roles.get(person.id, ())),
                acts="; ".join(
                    f"as {role.value}, last seen {instant_words(seen)}" for role, seen in now
                ),
                is_reader=person.id == reader,
            )
        )
    return tuple(rows)


def system_rows(found: Iterable[Mapping[str, Any]], organisation: str) -> tuple[SystemRow, ...]:
    """Those in use first, then the revoked ones, newest first as they came."""
    rows = [_system(each, organisation) for each in found]
    return tuple(sorted(rows, key=lambda row: row.revoked))


def _system(each: Mapping[str, Any], organisation: str) -> SystemRow:
    revoked = each["revoked_at"] is not None
    others = [code for code in each["organisations"] if code != organisation]
    facts = [
        ("Acts as", each["role"]),
        ("May", ", ".join(each["scopes"])),
        ("Client id", each["id"]),
        ("Registered", instant_words(each["created_at"])),
    ]
    if others:
        facts.append(("Acts for others too", ", ".join(others)))
    if each["jwks_url"]:
        facts.append(("Its keys come from", each["jwks_url"]))
    if revoked:
        facts.append(("Revoked", instant_words(each["revoked_at"])))
    return SystemRow(
        id=each["id"],
        name=each["name"],
        facts=tuple(facts),
        keys=tuple(each["keys"]),
        revoked=revoked,
        may_change=not revoked and not others,
    )


def _drug(key: str) -> str:
    known = load_drugs().drugs.get(key)
    return known.name if known else key


def _name(id_: str, names: Mapping[str, str]) -> str:
    return names.get(id_, f"somebody with the id {id_}")
