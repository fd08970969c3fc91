"""Each journey that the service promises, and the walks that make it: a table as data.

`test_journeys.py` holds it against the walks: together they take each line in every way.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody in a role does, and the journeys, by their `what`, that do it."""

    role: str
    asks: str
    walks: tuple[str, ...]


_CARE, _PANEL, _PAYER = "clinician, delegate, pharmacist", "panel", "commissioner"
_AUTHOR, _OTHERS = "policy author", "administrator, auditor, anybody"

TABLE: Final = (
    Line(
        _CARE,
        "finds the form by two letters of drug, brand or indication",
        ("finds a form by two letters",),
    ),
    Line(
        _CARE,
        "is told of a treatment that is there, and of the kind of request",
        ("asks for what there is already",),
    ),
    Line(
        _CARE,
        "fills in a form of each of the four families",
        (
            "asks for biologics",
            "asks for multiple sclerosis",
            "asks for obeticholic acid",
            "asks for immunoglobulin",
        ),
    ),
    Line(
        _CARE,
        "works a score out in place, and finds the draft on another computer",
        ("works out a score and goes on elsewhere",),
    ),
    Line(_CARE, "continues a treatment of a known patient", ("continues a treatment",)),
    Line(_CARE, "switches to another product", ("switches to another product",)),
    Line(
        _CARE,
        "stops, pauses, resumes a treatment, changes its dose, records its first dose",
        ("records what becomes of a treatment",),
    ),
    Line(_CARE, "answers exactly what is missing", ("sends the answer that was missing",)),
    Line(
        _CARE, "corrects what was not met, and takes the decision as a PDF", ("corrects an answer",)
    ),
    Line(
        _CARE,
        "sends what was refused to the panel, which waives",
        ("sends what was refused to the panel, which waives",),
    ),
    Line(
        _CARE,
        "asks for individual funding, with an attachment, up to the matched line",
        ("asks for individual funding, up to the line that it pays",),
    ),
    Line(
        _CARE, "is declined individual funding, and reads why", ("is declined individual funding",)
    ),
    Line(_CARE, "withdraws a request", ("withdraws a request",)),
    Line(
        _CARE,
        "tells of an urgent start",
        ("tells of an urgent start", "says at the check that it was urgent"),
    ),
    Line(
        _CARE,
        "enters a form that was signed on paper",
        ("enters a form from paper that another sends", "says at the check that it was on paper"),
    ),
    Line(
        _CARE,
        "prepares as a delegate what a clinician sends",
        ("prepares a form that another sends",),
    ),
    Line(_CARE, "authorises as a pharmacist", ("authorises a request",)),
    Line(
        _CARE,
        "returns as a pharmacist what is not authorised",
        ("returns a request that it would not authorise",),
    ),
    Line(_CARE, "reads the worklists to their end", ("reads a list to its end",)),
    Line(_CARE, "reads a patient's timeline", ("reads a patient's timeline",)),
    Line(
        _CARE,
        "hands a treatment over to another hospital, which takes it",
        ("hands a treatment over",),
    ),
    Line(_CARE, "refuses a transfer, or takes it back", ("refuses a transfer, or takes it back",)),
    Line(_CARE, "claims a treatment of another hospital", ("claims another hospital's treatment",)),
    Line(_CARE, "opens a record for the patient's safety", ("breaks the glass",)),
    Line(_CARE, "records an objection, a death", ("records an objection and a death",)),
    Line(
        _CARE,
        "checks a supply and a draft file before it is invoiced",
        ("checks a supply and a draft file",),
    ),
    Line(
        _CARE,
        "goes on after a step too many, a session that ended, and text that cannot be taken",
        (
            "takes too many steps a minute",
            "is signed out while filling in",
            "sends what cannot be taken",
        ),
    ),
    Line(
        _PANEL,
        "decides a request of its queue beside the policy",
        ("decides a request of its queue",),
    ),
    Line(_PANEL, "returns it with a question, and decides on the answer", ("stands aside",)),
    Line(_PANEL, "declares an interest, and decides no more", ("stands aside",)),
    Line(
        _PANEL,
        "overturns an urgent start, paying doses given or not",
        ("overturns an urgent start, paying", "overturns an urgent start unpaid"),
    ),
    Line(
        _PANEL,
        "decides by two members, where the policy asks for it",
        ("votes, and a second member confirms it", "votes, and a second member differs"),
    ),
    Line(_PANEL, "prints the minutes", ("reads the minutes",)),
    Line(
        _PAYER, "waits for a run, whose progress is shown", ("waits for a run and is led on to it",)
    ),
    Line(
        _PAYER,
        "takes a file from upload to challenge, answer, credit and workbook",
        ("takes a file from upload to credit",),
    ),
    Line(
        _PAYER,
        "reads one line's evidence and decides it by hand",
        ("reads the evidence of a line and decides it by hand",),
    ),
    Line(
        _PAYER,
        "looks for whose a line with a mistyped number is",
        ("looks for the patients of a run",),
    ),
    Line(_PAYER, "settles drug names by two people", ("settles what a drug's name means",)),
    Line(
        _PAYER,
        "sees identities as the invoice-validation role, for a reason",
        ("asks who the patients are",),
    ),
    Line(_PAYER, "reads the overview, closed months, supply lists", ("looks through the desk",)),
    Line(_PAYER, "hands treatments to another commissioner", ("hands treatments over",)),
    Line(_AUTHOR, "reads a policy's text, forms, cases and changes", ("finds and reads a policy",)),
    Line(
        _AUTHOR,
        "drafts, checks, replays, publishes and adopts, two people each",
        ("takes a policy from draft to adoption",),
    ),
    Line(
        _OTHERS,
        "gives a role by two, which its person chooses at sign-in",
        ("gives a role", "is given a second role, and chooses one"),
    ),
    Line(
        _OTHERS,
        "reads a trail, and who opened records",
        ("reads a trail", "reads who opened records, and how often identities were shown"),
    ),
    Line(_OTHERS, "ends a session that was left open", ("ends a session that was left open",)),
    Line(_OTHERS, "reads what is for everybody", ("looks at what is for everybody",)),
    Line(_OTHERS, "reads the reports of requests", ("reads the reports of requests",)),
)
