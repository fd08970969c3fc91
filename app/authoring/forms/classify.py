"""Says what each statement of a plain form is, by its words; a connector is never invented.

The defects met here are those counted in 387 real forms: several tests in one statement, "if:"
with its list lost, and/or mixed or missing, a commercial clause glued to the last bullet, stop
rules inside a start form, alternatives that exclude each other, advice and notices posing as tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.authoring.forms.phases import going_on, phase_of
from app.authoring.forms.reading import PlainForm, Statement


class Class(StrEnum):
    """What a statement is."""

    START = "start"
    CONTINUE = "continue"
    STOP = "stop"
    ALTERNATIVE = "alternative"
    ATTESTATION = "attestation"
    COMMERCIAL = "commercial"
    ADVICE = "advice"
    BROKEN = "broken"


class Join(StrEnum):
    """How the bullets of a statement are joined, as far as the form says so."""

    ALL = "all"
    ANY = "any"
    UNSAID = "unsaid"
    MIXED = "mixed"
    NESTED = "nested"


@dataclass(frozen=True, slots=True)
class Classified:
    """A statement with its class, the join of its bullets, and what a person must decide."""

    statement: Statement
    name: str
    what: Class
    join: Join | None
    decide: tuple[str, ...]
    boilerplate: str | None = None


_BOILERPLATE = {
    "least expensive option": re.compile(
        r"\b(least|lowest)[ -](expensive|costly|cost)|\bcheapest\b|lowest acquisition cost", re.I
    ),
    "local commissioning position": re.compile(
        r"\blocal(ly)? (agreed )?(commission\w*|pathway|policy|formulary|position)", re.I
    ),
    "consent": re.compile(
        r"\bpatient (has )?consent|\bconsents? to (the )?(sharing|processing)", re.I
    ),
}
_COMMERCIAL = re.compile(
    r"commercial (access )?(arrangement|agreement|discount|scheme)|patient access scheme|"
    r"\b(simple )?discount\b|(company|manufacturer) (provides|supplies|makes)|agreed price|"
    r"price (is|of|no (more|higher))",
    re.I,
)
_NOTICE = re.compile(
    r"(guidance|recommendation|appraisal|statement) (has been|was|is) "
    r"(partially )?(replaced|superseded|withdrawn|updated)|\b(superseded|withdrawn) by\b",
    re.I,
)
_GRANDFATHER = re.compile(
    r"(already|currently) (receiving|having|on|taking)|"
    r"started (before|in the NHS before|prior to)|treatment begun before",
    re.I,
)
_ADVICE = re.compile(
    r"(should|must) (be )?(take[ns]?|bear|borne)( in)?(to)? ?(account|mind)|take[ns]? into account|"
    r"(make|making) (any )?(the )?(appropriate |necessary )?adjustments|"
    r"(professionals|clinicians|prescribers) (should|are asked to) (consider|discuss|be aware)|"
    r"^(note|please note|see also|for information)\b",
    re.I,
)
_RECOMMENDED = re.compile(r"\b(is|are) recommended\b", re.I)
_NEGATIVE = re.compile(r"\b(is|are) not recommended\b", re.I)
_LOST = re.compile(r"(\bif|\bwhen|\bof|\bfollowing|\bwhere|\bthat|\beither|:)\s*[:…]?\s*$", re.I)
_REFERENCE = re.compile(
    r"\b(sections?|recommendations?|criteri(?:on|a)|statements?)\s+\d+(\.\d+)?|\bQ\d+\b|"
    r"(?<![\d.])\b1\.\d\b(?!\s*(mg|g|kg|or|to))",
    re.I,
)
_VAGUE = re.compile(r"\b(normally|for example|such as|including|not exclusively|usually)\b", re.I)
_SEVERAL = re.compile(r"\b(and|or)\b", re.I)
_GLUED = re.compile(r"(?<=[a-z0-9)\].])(?<!\s)(?=(?:The|It|If|When|Treatment|This|People)\s+[a-z])")
_ALL = re.compile(r"\b(all|each|both)( of)? (the )?(following|these|criteria)|\ball of\b", re.I)
_ANY = re.compile(
    r"\b(any|one|either|at least one|one or more)( of)? (the )?(following|these)", re.I
)
_OPENS = re.compile(
    r":\s*$|\b(defined|shown|measured|confirmed|demonstrated|evidenced) (by|as)\s*$|"
    r"\b(any|one|all|both|either) of( the following)?\s*$",
    re.I,
)
_TAIL = re.compile(r"[;,.]?\s*\b(and|or)\s*[;,]?\s*$", re.I)
_LEAD = re.compile(r"^\s*(and|or)\b\s+", re.I)


def classify_form(
    form: PlainForm, drug: str = "", drugs: Sequence[str] = ()
) -> tuple[Classified, ...]:
    """Every statement of a form with its class.

    `drugs` are the names of drugs other than the form's own, `drug`: a statement that names only
    one of those is marked.
    """
    pieces = [piece for each in form.statements for piece in _unglued(each)]
    own = re.compile(rf"\b{re.escape(drug)}\b", re.I) if drug else re.compile(r"(?!)")
    found = [
        _classified(name, each, () if own.search(_text(each)) else drugs, form.title)
        for name, each in pieces
    ]
    options = [c for c in found if c.what is Class.START and _RECOMMENDED.search(c.statement.text)]
    if len(options) > 1:
        found = [_alternative(each) if each in options else each for each in found]
    return tuple(found)


def _alternative(each: Classified) -> Classified:
    ask = (
        "the form holds several “is recommended” statements, to each of which it wants a yes. They "
        "stand here as ways in of which one is enough, and failing refers. Is that so"
    )
    several = ("its bullets are several tests under one answer. Split it",)
    asks = (*each.decide, *(several if each.statement.bullets else ()), ask)
    return replace(each, what=Class.ALTERNATIVE, decide=asks)


def _text(statement: Statement) -> str:
    return " ".join([statement.text, *statement.bullets])


def _unglued(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """A sentence stuck to the last bullet or sentence stands by itself."""
    name = str(statement.position)
    last = statement.bullets[-1] if statement.bullets else statement.text
    parts = _GLUED.split(last)
    if len(parts) == 1:
        yield name, statement
        return
    head, tail = parts[0].strip(), " ".join(part.strip() for part in parts[1:])
    if statement.bullets:
        yield name, replace(statement, bullets=(*statement.bullets[:-1], head))
    else:
        yield name, replace(statement, text=head)
    yield f"{name}x", replace(statement, text=tail, bullets=())


def _classified(name: str, statement: Statement, drugs: Sequence[str], title: str) -> Classified:
    text = _text(statement)
    what, asks, boilerplate = _what(statement, text, title)
    join = join_of(statement) if statement.bullets else None
    if what not in (Class.COMMERCIAL, Class.ADVICE, Class.BROKEN):
        asks += _asks(statement, text, join, drugs)
    return Classified(statement, name, what, join, tuple(asks), boilerplate)


def _what(statement: Statement, text: str, title: str) -> tuple[Class, list[str], str | None]:
    for name, pattern in _BOILERPLATE.items():
        if pattern.search(text) and not statement.bullets and len(text) < 400:
            return Class.ATTESTATION, [], name
    if _NOTICE.search(text):
        return Class.ADVICE, ["a notice that guidance was replaced: nothing to answer"], None
    if not statement.bullets and _LOST.search(statement.text):
        ask = "it ends where a list should follow, and the list is lost. Find the original text"
        return Class.BROKEN, [ask], None
    if _COMMERCIAL.search(text) and not _is_clinical(text):
        return Class.COMMERCIAL, [], None
    if _GRANDFATHER.search(text) and going_on(text):
        ask = "people treated before this guidance may go on: a route into it, not a test"
        return Class.ADVICE, [ask], None
    if _NEGATIVE.search(text):
        return Class.BROKEN, ["it says “not recommended”: what would a yes mean? Reword it"], None
    if _ADVICE.search(text):
        return Class.ADVICE, [], None
    return _phase(statement, text, title)


def _phase(statement: Statement, text: str, title: str) -> tuple[Class, list[str], str | None]:
    read = phase_of(text, statement.under, title)
    return Class.BROKEN if read.phase is None else Class(read.phase), list(read.asks), None


def _is_clinical(text: str) -> bool:
    """Whether a clause about price stands beside something about the patient."""
    return len(_COMMERCIAL.sub("", text)) > 220 or bool(
        re.search(r"\b(DAS28|PASI|DLQI|EDSS|CDAI|severe|relapse|score)\b", text)
    )


def _asks(statement: Statement, text: str, join: Join | None, drugs: Sequence[str]) -> list[str]:
    asks = []
    if join is Join.UNSAID:
        asks.append("its bullets have no “and” or “or”. All of them, or any? Then split it")
    if join is Join.MIXED:
        asks.append("its bullets mix “and” with “or”. Say which belong together, then split it")
    if join is Join.NESTED:
        asks.append(
            "one of its bullets opens a list of its own, and the indent that ended it is lost. Say "
            "which bullets belong to it, then split it"
        )
    if join is None and _SEVERAL.search(text) and len(text) > 60:
        asks.append("it may hold several tests. One answer cannot serve several: split it if so")
    if _REFERENCE.search(text):
        asks.append(
            "it points to another numbered text, mostly by the guidance's numbers and not this "
            "form's. Put in what that text says"
        )
    if _VAGUE.search(text):
        asks.append("its rule is soft (“normally”, “such as”). A hard test, or a reason on record?")
    if _COMMERCIAL.search(text):
        asks.append("it holds a commercial clause, which no patient can meet. Take it out")
    other = [name for name in drugs if re.search(rf"\b{re.escape(name)}\b", text, re.I)]
    if other:
        asks.append(f"it names {other[0]}, which is not this form's drug. Does it belong here?")
    if not statement.box:
        asks.append("it has no Yes/No box on the form. Is it a test?")
    if re.search(r"\d", text):
        asks.append("it holds a number. Ask the value itself, with date and unit, and compare it")
    return asks


def join_of(statement: Statement) -> Join:
    """How the bullets are joined: by their own words, or by what stands before them."""
    if any(_OPENS.search(bullet) for bullet in statement.bullets[:-1]):
        return Join.NESTED
    words = set()
    for index, bullet in enumerate(statement.bullets):
        tail, lead = _TAIL.search(bullet), _LEAD.match(bullet)
        if tail is not None and index < len(statement.bullets) - 1:
            words.add(tail[1].lower())
        if lead is not None and index > 0:
            words.add(lead[1].lower())
    if len(statement.bullets) == 1:
        return Join.ALL
    if words == {"and", "or"}:
        return Join.MIXED
    said_all, said_any = _ALL.search(statement.text), _ANY.search(statement.text)
    if words:
        join = Join.ALL if words == {"and"} else Join.ANY
        against = said_any if join is Join.ALL else said_all
        return Join.MIXED if against else join
    if bool(said_all) is not bool(said_any):
        return Join.ALL if said_all else Join.ANY
    return Join.UNSAID


def bare(bullet: str) -> str:
    """A bullet without its connector."""
    return _LEAD.sub("", _TAIL.sub("", bullet)).strip(" ;,")
