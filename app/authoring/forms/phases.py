"""Says by its words when a statement is asked: to start, to continue, or to stop.

Plain words ("continue", "discontinue", "recommended") settle it. Signs ("since the start", "no
response after 12 weeks", "was not tolerated") suggest it, and only where those of one phase alone
are there. Where neither tells, nothing is guessed: the statement is marked for a person. A heading
goes before signs, and plain words against a heading are asked about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.authoring.forms.headings import Phase

_NUMBER = r"(\d+|two|three|four|six|nine|twelve|eighteen)"
_SPAN = (
    rf"(week )?{_NUMBER}( (to|or) {_NUMBER})?( (weeks?|months?|years?|courses?|doses?|cycles?))?"
)

# --- plain words ---
_STOP = re.compile(
    r"\b(stop(ped|ping)?|discontinu(e|ed|ing|ation)|withdrawn?|cease[ds]?)\b(?! by)", re.I
)
_CONTINUE = re.compile(
    r"\b(continu(e|ed|es|ation)|continuing (with )?(treatment|therapy))\b|"
    r"\bmaintain(ed)? (the |a )?response|\bresponse (is|has been) (assessed|maintained|sustained|"
    r"kept)|\b(has|have) responded\b|\bat (each|every|annual|the) review|"
    r"\breview(ed)? (after|at)\b|"
    r"(?<!no )(?<!without )\b(on|con)(going|tinuing) (\w+ )?(benefit|response|need)\b|"
    rf"\b(re)?assessed (at|from) {_SPAN}|\bresponse since the start",
    re.I,
)
_START = re.compile(r"\brecommended\b|\bstart(ing|ed|s)?\b|\binitiat", re.I)
_NOT_A_START = re.compile(
    r"\b(since|from|before|after|at)( the)? (start(ing)?|initiation)( of)?( the)?( treatment)?\b|"
    r"\b(re|be )?started again\b",
    re.I,
)
_NOT_A_STOP = re.compile(  # what becomes of those who fail a rule to continue; or past treatments
    r"\b(otherwise|if not|failing (this|which))\b[^.]*$|"
    r"\b(consider\w*|trial of)\b[^.;]*\b(stop|withdraw)\w*|\bstopped working\b|\bstop(ping)? rule|"
    r"\bafter (\w+ ){1,3}(was|is|were) (stopped|withdrawn)\b|\bwithdrawn (for|because)\b",
    re.I,
)

# --- signs ---
_DOSE = re.compile(
    r"\bno more than [\d.]+ ?(mg|g|mcg|ml|IU|units)\b|^[\d.]+ ?(mg|g) (once|twice|every|a day)|"
    r"\b(mg|g) for each kg\b|\bplanned dose\b|^every \w+ (weeks|months)$",
    re.I,
)
_SIGNS = {
    Phase.STOP: re.compile(
        r"\b(intolerable|unacceptable) (adverse|side|toxic)|\bserious complication|"
        rf"\b(at|after|by|from) (at least )?{_SPAN}\b[^.;]*"
        r"\b(no|not|neither|without|inadequate|less than)\b|"
        r"\bno (\w+ )?(response|benefit|effect|improvement) (after|at|by)\b|"
        r"^the treatment has failed|\bsurgery is needed|\b(becomes?|become) pregnant\b|"
        r"\bloss of (the )?(response|effect|benefit)|\b(response|benefit) (is|was|has been) "
        r"(lost|not)\b|\bprogress(es|ed|ion)\b|\bdisability increasing|\bworsen(s|ed)\b|"
        r"\bworse by\b|\bha(s|ve) ended\b|\bnew (active )?lesion|\bdecompensat",
        re.I,
    ),
    Phase.CONTINUE: re.compile(
        r"\bsince (the )?(start|last|treatment|previous)|\b(re)?assessed\b|\breviewed\b|"
        r"\breview\b.*\b(last|past|before each)\b|\bevidence of (\w+ )*(benefit|response)|"
        r"\bclear benefit\b|\btest of response\b|"
        r"\b(adequate|moderate|good|partial|sustained) (\w+ )?response (at|after|since|by)\b|"
        r"\b(down|fallen|risen|improved|reduced) by\b|\bafter treatment\b|\bimprove(d|ment)\b|"
        r"\b(further|second|next|third|repeat) (courses?|doses?|cycles?|year)\b|\brepeat(ed)?\b|"
        r"\bagain\b|\bgo(ing)? on\b|\bremission\b|\bstill\b|\bmaintenance (dose|phase|treatment)\b|"
        r"\bfor maintenance\b|\bnot yet\b|\bduring treatment\b|\bwithdrawal\b|"
        r"\b(on|in|under) treatment\b",
        re.I,
    ),
    Phase.START: re.compile(
        r"\bdiagnos|\bconfirmed\b|\baged?\b|\badults?\b|\bchild(ren)?\b|\bbefore treatment\b|"
        r"\b(active|severe|moderate|mild|chronic|primary|refractory)\b(?! (\w+ )?response| than)|"
        r"\b(has|have|had|was|were|is|are) (not |also )?(failed|tolerated|suitable|unsuitable|"
        r"contraindicated|worked|controlled|tried|offered)|\bcontraindicat|\bnaive\b|"
        r"\b(inadequate|insufficient|no) response to\b|\brefractory to\b|\bfailed\b|"
        r"\bhas not (responded|worked)|\bweight\b|\bheight\b|\bagreed by\b|\bscans?\b|\bscreened\b|"
        r"\bof \d+(\.\d+)? or (more|less)|\b(above|below|over|under) \d|"
        r"\bat least \w+ (prior|previous|conventional|standard)|\bfirst (dose|course)|"
        r"\bexposed\b|\bexposure\b",
        re.I,
    ),
}  # fmt: skip
_OWN_FAILURE = re.compile(r"\bthe treatment has failed\b", re.I)

_ASK_STOP = "a rule to stop, which cannot be answered at the start. Reword it: yes must mean stop"
_ASK_CONTINUE = (
    "a rule to continue, which cannot be answered at the start. It is asked at the review"
)
_ASK_DOSE = "a limit of the dose. Does it hold at a review too? Then write it there as well"
_ASK_UNSAID = (
    "neither a heading nor its words say when it is asked: to start, at a review, or to stop. It "
    "stands here as a test to start. Is it one"
)


@dataclass(frozen=True, slots=True)
class Read:
    """The phase of a statement, None where its parts belong to several; what a person must say."""

    phase: Phase | None
    asks: tuple[str, ...] = ()


def phase_of(text: str, under: Phase | None, title: str = "") -> Read:
    """When a statement is asked. `under` is the heading that it stands under, if any."""
    plain = _plain(text)
    if len(plain) > 1 and plain != {Phase.CONTINUE, Phase.STOP}:
        ask = "it holds a rule to start and one to continue or stop. Part them"
        return Read(None, (f"{ask}: it needs two answers",))
    if under in (Phase.START, Phase.CONTINUE, Phase.STOP):
        return _under(under, plain)
    if len(plain) > 1:
        return Read(None, ("it holds a rule to continue and one to stop. Part them",))
    if plain:
        return _read(plain.pop())
    if re.sub(r"\W+", " ", text.lower()).strip() in re.sub(r"\W+", " ", title.lower()):
        return Read(Phase.START)  # the disease itself, as the title names it
    if _DOSE.search(text):
        return Read(Phase.START, (_ASK_DOSE,))
    signs = _signs(text)
    if len(signs) == 1:
        return _read(signs.pop())
    if signs == {Phase.STOP, Phase.CONTINUE}:
        return Read(None, ("a rule to continue or to stop: say which, and what a yes means",))
    return Read(Phase.START, (_ASK_UNSAID,))


def going_on(text: str) -> bool:
    """Whether plain words speak of going on with a treatment."""
    return bool(_CONTINUE.search(text))


def _plain(text: str) -> set[Phase]:
    """The phases that plain words name."""
    said = {
        Phase.START: _START.search(_NOT_A_START.sub(" ", text)),
        Phase.CONTINUE: _CONTINUE.search(text),
        Phase.STOP: _STOP.search(_NOT_A_STOP.sub(" ", text)),
    }
    return {phase for phase, found in said.items() if found}


def _signs(text: str) -> set[Phase]:
    """The phases that its words suggest."""
    found = {phase for phase, pattern in _SIGNS.items() if pattern.search(text)}
    if Phase.START in found and not _SIGNS[Phase.START].search(_OWN_FAILURE.sub(" ", text)):
        found.remove(Phase.START)
    return found


def _under(under: Phase, plain: set[Phase]) -> Read:
    """A heading tells; where plain words say otherwise, a person is asked too."""
    asks = _read(under).asks
    if plain and under not in plain:
        said = " and ".join(sorted(plain))
        asks += (f"it stands under a heading to {under}, and its words say {said}. Which is it",)
    return Read(under, asks)


def _read(phase: Phase) -> Read:
    asks = {Phase.STOP: (_ASK_STOP,), Phase.CONTINUE: (_ASK_CONTINUE,)}
    return Read(phase, asks.get(phase, ()))
