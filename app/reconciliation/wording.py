"""What each outcome asks of whom. Reasons are written where they are found; remedies stand here."""

from collections.abc import Mapping

from app.reconciliation.model import LineOutcome

REMEDIES: Mapping[LineOutcome, str] = {
    LineOutcome.MATCHED: "",
    LineOutcome.APPROVED_LATE: "",
    LineOutcome.APPROVAL_NOT_REQUIRED: "",
    LineOutcome.AWAITING_DECISION: (
        "Nothing yet: the line is matched again once the request or query is decided."
    ),
    LineOutcome.NO_APPROVAL: (
        "Submit a request for this treatment, or withdraw the charge. If an approval exists "
        "elsewhere, send its reference in PROVIDER REFERENCE NUMBER."
    ),
    LineOutcome.NO_POLICY_HELD: (
        "Ask the commissioner whether this drug is funded, and through which commissioner."
    ),
    LineOutcome.OUTSIDE_APPROVAL_PERIOD: (
        "Check the supply date. If it is right, request approval for the time of the supply."
    ),
    LineOutcome.CONTINUATION_OVERDUE: "Submit the continuation request for this treatment.",
    LineOutcome.NOT_THE_APPROVED_PROVIDER: (
        "Request a transfer to the supplying provider, or have it named as a supplying provider."
    ),
    LineOutcome.DRUG_OR_INDICATION_DIFFERS: (
        "Correct the drug or indication on the line, or request approval for what was supplied."
    ),
    LineOutcome.OVER_PRICE: "Credit the excess, or agree the price with the commissioner.",
    LineOutcome.OVER_QUANTITY: "Credit the excess, or request approval for the larger quantity.",
    LineOutcome.DUPLICATE_LINE: (
        "Remove the line, or show that it is a second supply and state what tells them apart."
    ),
    LineOutcome.NOT_A_DRUG_LINE: (
        "Charge it under the contract line agreed for it; it is not a drug supply."
    ),
    LineOutcome.CREDIT_WITHOUT_DEBIT: (
        "Name the charge that it gives back, or say what else the money is given for."
    ),
    LineOutcome.NOT_RECOVERABLE: "Remove the charge: it is not the commissioner's to pay.",
    LineOutcome.CANNOT_BE_READ: "Correct the line and send it again.",
    LineOutcome.IDENTITY_WITHHELD: (
        "Have a person who may see the identity compare the line with the approval."
    ),
}

#: Of a line that is accepted though nobody recorded that treatment began in time.
RECORD_START = "Record the first dose, or that treatment was never started."

# The cost of these is accepted whole. Every other outcome but the two splits is queried whole:
# a pound is accepted only where something shows that it is payable.
ACCEPTED_WHOLE = frozenset(
    {LineOutcome.MATCHED, LineOutcome.APPROVED_LATE, LineOutcome.APPROVAL_NOT_REQUIRED}
)
SPLIT = frozenset({LineOutcome.OVER_PRICE, LineOutcome.OVER_QUANTITY})
