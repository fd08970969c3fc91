"""What the words of a line rest on, in SQL: of lines that are alike in it, one is worded for all.

Tests are taken in groups, in the order in which a line states them. The key of a group is all that
its words can depend on: what the words state as it is, and of what they only compare no more than
how it came out. Where that would need much to be told, the line's own place stands in the key, and
the line is worded by itself. Each distinct key of a group has a number, and reasons rest on those.
What each line states of its own, and of no other (the row of another line, the reference of an
approval), is cut out of the words and stands beside the key: `states`.

Lines that people decided, fees with a charge that was agreed, and credits of a charge that people
decided are `own`: each is worded by itself.
"""

from dataclasses import dataclass
from typing import Final

from app.reconciliation.contract import COMMISSIONER, CONTRACT
from app.reconciliation.engines.agreed import AGREED_PRICE
from app.reconciliation.engines.decided import GIVES_BACK
from app.reconciliation.engines.limits import LENGTH
from app.reconciliation.engines.reason_keys import COUNTS, REASON, STATES
from app.reconciliation.engines.settled import DUPLICATE
from app.reconciliation.engines.spacing import TOO_SOON
from app.reconciliation.engines.supply_terms import HOME_DELIVERY, VAT
from app.reconciliation.model import LineOutcome
from app.reconciliation.outcomes import DEATH, ROUTE, START, STATUS
from app.reconciliation.wording import ACCEPTED_WHOLE, SPLIT


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that follow each other, by name, and what their words depend on, as a row in SQL.

    Only lines `of` which this holds have any of these tests.
    """

    name: str
    tests: frozenset[str]
    key: str
    of: str = "told.within_cov IS NOT NULL"


#: Tables: `told` the line with what was decided of it, `coverage` the approval that its words speak
#: of (`approved`, in `line_said`), `used` what was used before it, `spacing_test` the supply before
#: it, `read` the texts of its cells; `lies`, `misquote`, `waits` and `debit_told` are told in
#: `line_said`.
GROUPS: Final = (
    Group(
        "apart",
        frozenset({DUPLICATE, CONTRACT, COMMISSIONER}),
        """
        told.step, states IS NULL,
        CASE WHEN told.by_contract THEN ROW(
            told.has_identity, told.first_day IS NULL, told.contract_said, told.contract_why,
            told.commissioner, told.payer_said, told.proposed, told.payer_silent,
            told.first_payer, told.last_payer
        ) END
        """,
        of="told.by_contract OR told.step = 'duplicate'",
    ),
    Group(
        "standing",
        frozenset({"reference", STATUS}),
        """
        told.reference IS NULL, told.pass = 1, told.test_reference, misquote.why,
        told.first_day IS NULL, coverage.status, coverage.under_query
        """,
        of="told.step IN ('found', 'diagnosed')",
    ),
    Group(
        "period",
        frozenset({"drug", "period"}),
        "told.drug, coverage.drug, fits",
        of="coverage.cov IS NOT NULL AND told.first_day IS NOT NULL",
    ),
    Group(
        "start",
        frozenset({START}),
        """
        coverage.start_by, told.first_day <= coverage.start_by, told.last_day <= coverage.start_by,
        CASE WHEN coverage.start_by IS NOT NULL THEN ROW(
            coverage.first_dose IS NULL, coverage.first_dose <= coverage.start_by
        ) END
        """,
    ),
    Group(
        "provider",
        frozenset({"provider"}),
        "told.provider, coverage.provider, told.test_provider",
    ),
    Group(
        "patient",
        frozenset({"product", ROUTE, "indication", "birth date", "funding", "continuation", DEATH}),
        """
        CASE WHEN told.product IS NOT NULL THEN ROW(
            told.product, coverage.product, coverage.product_set, coverage.interchangeable
        ) END,
        told.route, coverage.route, told.test_indication, told.test_birth_date, coverage.origin,
        CASE WHEN told.test_continuation THEN NULL ELSE coverage.continuation_due END,
        coverage.continuation_due IS NULL, coverage.died_on IS NULL,
        CASE WHEN told.last_day > coverage.died_on THEN told.pos END
        """,
    ),
    Group(
        "price",
        frozenset({"unit price", AGREED_PRICE}),
        """
        coverage.price_cap IS NULL, told.unit_price <= coverage.price_cap,
        told.unit = coverage.price_unit, told.unit_price IS NULL, told.vat_charged,
        told.has_agreed,
        CASE WHEN told.has_agreed THEN ROW(
            told.unit_price <= told.agreed_least, told.unit_price <= told.agreed_most,
            told.agreed_most IS NULL, told.agreed_price IS NULL, told.agreed_why
        ) END
        """,
    ),
    Group(
        "quantity",
        frozenset({"quantity"}),
        """
        coverage.cap_said,
        CASE WHEN coverage.quantity_cap IS NULL THEN NULL
            WHEN told.quantity > 0 AND told.unit = coverage.quantity_unit THEN ROW(
                coalesce(used.used, 0) + told.quantity,
                coalesce(used.used, 0) + told.quantity <= coverage.quantity_cap,
                coalesce(used.used, 0) + told.quantity <= used.most,
                coverage.before_said
            )
        END
        """,
    ),
    Group(
        "dose",
        frozenset({"dose", LENGTH}),
        """
        coverage.longest, coverage.dose_set,
        CASE WHEN coverage.dose_set IS NOT NULL THEN ROW(
            read.quantity, told.unit, told.tolerance, told.first_day, told.last_day
        ) END
        """,
    ),
    Group(
        "delivery",
        frozenset({HOME_DELIVERY, VAT}),
        """
        told.homecare, told.vat_charged, told.home_delivery > 0,
        CASE WHEN told.home_delivery > 0 THEN ROW(
            told.home_delivery <= told.delivery_least, told.home_delivery <= told.delivery_most,
            told.delivery_least IS NULL, told.delivery_most IS NULL, told.delivery_why
        ) END
        """,
    ),
    Group(
        "spacing",
        frozenset({TOO_SOON}),
        """
        spacing_test.pos IS NOT NULL, spacing_test.early, spacing_test.day,
        spacing_test.last_day, spacing_test.last_days
        """,
    ),
)

#: How the time of a supply lies to the approval, as far as the words of that tell it.
FITS: Final = """
    coalesce(lies.state, 'within'),
    CASE WHEN coalesce(lies.state, 'within') = 'within' THEN ROW(
        CASE
            WHEN told.stated_day IS NOT NULL THEN 'date'
            WHEN told.supply_date IS NOT NULL THEN 'delivery'
            WHEN told.financial_year IS NOT NULL AND told.financial_month IS NOT NULL THEN 'month'
            ELSE 'invoice'
        END,
        told.last_day > coverage.to_day,
        CASE
            WHEN told.last_day > coverage.to_day AND coverage.stop_day IS NOT NULL THEN told.pos
        END
    ) END
"""


def _named(outcomes: frozenset[LineOutcome]) -> str:
    return ", ".join(f"'{each}'" for each in sorted(outcomes))


def _key(group: Group) -> str:
    return f"    CASE WHEN {group.of} THEN ROW({group.key}) END AS key_{group.name}"


_KEYS: Final = ",\n".join(map(_key, GROUPS))
_COUNTS: Final = ",\n".join(
    f"    coalesce({condition}, FALSE) AS {name}_counts" for name, condition in COUNTS.items()
)
_SAY: Final = ",\n".join(
    f"        CASE WHEN keyed.{name}_counts THEN number_{name}.n END" for name in COUNTS
)
_NUMBERS: Final = "\n".join(
    f"LEFT JOIN number_{each.name} ON number_{each.name}.key = keyed.key_{each.name}"
    for each in GROUPS
)
#: Of some lines: what a file of outcomes states of each beside its words, and the keys of these.
KEYED: Final = f"""
CREATE OR REPLACE TABLE keyed AS
SELECT * EXCLUDE (fits, counted_as)
FROM (SELECT
    told.pos, told.row, told.content_hash, told.kind, told.drug, told.product AS drug_product,
    CAST(told.stated_day AS VARCHAR) AS supplied_on, told.recognised_by, told.outcome,
    told.accepted, told.queried, read.total_cost AS total_said, told.provider, told.pass,
    CASE WHEN told.cov IS NOT NULL THEN coverage.approval_reference END AS reference,
    CASE WHEN told.cov IS NOT NULL THEN coverage.treatment_id END AS treatment_id,
    told.own_provider, told.own_commissioner, told.financial_year, told.financial_month,
    told.stated_day, debit_told.told AS debit, debit_told.lacking AS debit_lacking,
    CASE WHEN told.step = 'reversal' THEN other_line.total_said END AS charge_said,
    CASE WHEN told.step = 'reversal' THEN other_line.outcome ELSE told.outcome END AS counted_as,
    CASE
        WHEN counted_as IN ({_named(ACCEPTED_WHOLE)}) THEN 'whole'
        WHEN counted_as IN ({_named(SPLIT)}) THEN 'split'
        WHEN told.step = 'settled' AND told.total < 0 AND counted_as IN ({_named(GIVES_BACK)})
            THEN 'whole'
    END AS taken,
    alone.pos IS NOT NULL OR (told.step = 'reversal' AND charge_alone.pos IS NOT NULL) AS own,
    told.content_key % {{compared}} = 0 AS compared,
    {STATES} AS states,
    ROW({FITS}) AS fits,
{_KEYS},
    ROW({REASON}) AS reason,
{_COUNTS}
FROM outcome_worded AS told
INNER JOIN read ON read.pos = told.pos
LEFT JOIN approved AS coverage ON coverage.pos = told.pos
LEFT JOIN used ON used.pos = told.pos
LEFT JOIN spacing_test ON spacing_test.pos = told.pos
LEFT JOIN worded_alone AS alone ON alone.pos = told.pos
LEFT JOIN worded_alone AS charge_alone ON charge_alone.pos = told.other_pos
LEFT JOIN other_line ON other_line.pos = told.other_pos
LEFT JOIN lies ON lies.pos = told.pos
LEFT JOIN misquote ON misquote.pos = told.pos
LEFT JOIN waits ON waits.pos = told.pos
LEFT JOIN debit_told ON debit_told.pos = told.pos
LEFT JOIN era ON era.last_day IS NOT DISTINCT FROM told.last_day
WHERE told.pos >= {{first}} AND told.pos < {{end}} AND read.pos >= {{first}} AND read.pos < {{end}})
"""
#: The numbers of what each of them says in each group, and the key of its reason, which rests on
#: the numbers of the groups that have a say in it. Lines that are worded alone have none.
NUMBERED: Final = f"""
CREATE OR REPLACE TABLE numbered AS
SELECT
    keyed.pos, {", ".join(f"number_{each.name}.n AS n_{each.name}" for each in GROUPS)},
    ROW(
        keyed.reason,
{_SAY}
    ) AS key_reason
FROM keyed
{_NUMBERS}
WHERE NOT keyed.own
"""
