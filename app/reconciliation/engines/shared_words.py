"""The outcomes of a file whose lines are not held in memory: each distinct wording is made once.

Some lines at a time, in the file's order. Of every group of tests (`word_keys`) and every reason
that no line before had, one line is worded by the plain functions, whole, and compared with what
SQL decided; its words are then those of all lines that are alike in what they rest on, with what
each states of its own in its place. Of the lines one in some hundreds, by its content, is worded by
itself too, and must come to the same text. Any difference stops the run.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.duckdb import as_written
from app.reconciliation.engines.limits import EXACT_DIGITS, ONE, PENNY, ZERO, exact
from app.reconciliation.engines.passes import PASSES
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.engines.word_keys import GROUPS, KEYED, NUMBERED
from app.reconciliation.errors import EnginesDisagree
from app.reconciliation.model import MatchedLine, Test
from app.reconciliation.outcome_files import ROWS_TOGETHER, SCHEMA, values_of
from app.reconciliation.untested import lacking_of, untested_tests

Connection = duckdb.DuckDBPyConnection
#: The places of some lines → each of them worded by the plain functions, in the order of the file.
Plainly = Callable[[str, int, int], Sequence[MatchedLine]]

#: How many lines are looked at together, whatever the file's size.
TOGETHER: Final = 65_536
#: How many lines are Python's objects at a time.
AT_A_TIME: Final = 4_096
#: One line of so many, by its content, is worded by itself and compared.
COMPARED: Final = 512
_BETWEEN: Final = "|"  # no test's name has it
#: Stands in words where each line states something of its own. It is in no words beside it.
_SLOT: Final = "\ufffc"
_TOLD: Final = (*(each.name for each in GROUPS), "reason")
#: What each is known by among the numbers of a line.
_KEY: Final = {each.name: f"n_{each.name}" for each in GROUPS} | {"reason": "key_reason"}
#: Of each wording: the text, the tests that could not be made, and a second text beside it.
_WORDS: Final = ("told", "lacking", "also")
_OWN: Final = SCHEMA.append(pa.field("pos", pa.int64()))
_MADE: Final = pa.schema(
    [
        *_OWN,
        ("places", pa.int32()),
        ("lacking", pa.string()),
        *((f"{group}_{each}", pa.string()) for group in _TOLD for each in _WORDS),
    ]
)
_AMOUNTS: Final = ("total_said", "accepted", "queried", "taken", "charge_said")

#: What was accepted of lines of a slice though these tests could not be made, to so many places.
Lacking = tuple[tuple[Any, ...], Sequence[str], Decimal]


def outcomes_told(
    connection: Connection,
    lines: int,
    plainly: Plainly,
    count: Callable[[Lacking], None],
    progress: Progress = untold,
) -> Iterator[pa.Table]:
    """The rows of the file of outcomes in order, some at a time; `count` hears of what lacked.

    `progress` is told of each TOGETHER lines, once their rows were taken.

    The connection holds what the steps decided. Raises EnginesDisagree where the plain functions
    come to anything else.
    """
    _begin(connection)
    for first in range(0, lines, TOGETHER):
        end = min(first + TOGETHER, lines)
        connection.execute(KEYED.format(first=first, end=end, compared=COMPARED))
        _make(connection, plainly, end - first)
        _amounts(connection)
        with as_written(connection):
            connection.execute(_CHUNK)
        _check(connection, end - first)
        connection.execute(_LACKED)
        names = ", ".join(SCHEMA.names)
        told = connection.sql(f"SELECT {names} FROM told_line ORDER BY pos")
        for batch in told.to_arrow_reader(ROWS_TOGETHER):
            yield pa.Table.from_batches([batch]).cast(SCHEMA)
        # Replaced, they would lie beside those that come.
        for name in ("told_line", "keyed", "numbered"):
            connection.execute(f"DROP TABLE {name}")
        progress(end)
    for each in _lacking(connection):
        count(each)


def _begin(connection: Connection) -> None:
    """Empty tables of the wordings that are known."""
    connection.execute(KEYED.format(first=0, end=0, compared=COMPARED))
    for each in GROUPS:
        connection.execute(
            f"CREATE TABLE number_{each.name} AS SELECT key_{each.name} AS key, 0 AS n FROM keyed"
        )
    connection.execute(NUMBERED)
    words = ", ".join(f"'' AS {each}" for each in _WORDS)
    for name in _TOLD:
        connection.execute(f"CREATE TABLE words_{name} AS SELECT {_KEY[name]} AS key, {words} "
                           "FROM numbered")  # fmt: skip
    names = [name for name, _ in PASSES]
    connection.register(
        "pass_named", pa.table({"pass": [*range(1, len(names) + 1)], "name": names})
    )
    connection.execute(_LACKED_TABLE)


def _make(connection: Connection, plainly: Plainly, lines: int) -> None:
    """Word the lines that must be, and keep the words of the first of each kind for the others."""
    for each in GROUPS:
        _number(connection, each.name)
    with as_written(connection):
        connection.execute(NUMBERED)
    for name in _TOLD:
        connection.execute(
            f"CREATE OR REPLACE TABLE new_{name} AS SELECT {_KEY[name]} AS key, min(pos) AS pos "
            f"FROM numbered ANTI JOIN words_{name} ON words_{name}.key = numbered.{_KEY[name]} "
            f"WHERE {_KEY[name]} IS NOT NULL GROUP BY {_KEY[name]}"
        )
    news = " UNION ".join(f"SELECT pos FROM new_{name}" for name in _TOLD)
    connection.execute(
        "CREATE OR REPLACE TABLE asked AS SELECT pos, row_number() OVER (ORDER BY pos) AS n "
        f"FROM (SELECT pos FROM keyed WHERE own OR compared UNION {news})"
    )
    connection.register("made_some", _MADE.empty_table())
    connection.execute("CREATE OR REPLACE TABLE made AS FROM made_some")
    for first in range(0, lines, AT_A_TIME):
        some = f"SELECT pos FROM asked WHERE n > {first} AND n <= {first + AT_A_TIME}"
        found = connection.sql(f"SELECT min(pos), max(pos) FROM ({some})").fetchall()[0]
        if found[0] is None:
            break
        states = connection.sql(
            f"SELECT pos, states FROM keyed WHERE pos IN ({some}) ORDER BY pos"
        ).fetchall()
        matched = plainly(some, found[0], found[1])
        connection.register("made_some", _made(states, matched))
        connection.execute("INSERT INTO made FROM made_some")
    connection.unregister("made_some")
    for name in _TOLD:
        columns = ", ".join(f"made.{name}_{each}" for each in _WORDS)
        connection.execute(
            f"INSERT INTO words_{name} SELECT new_{name}.key, {columns} FROM new_{name} "
            f"INNER JOIN made ON made.pos = new_{name}.pos"
        )


def _number(connection: Connection, name: str) -> None:
    """Give each key of a group that no line before had a number of its own."""
    connection.execute(
        f"INSERT INTO number_{name} SELECT key, row_number() OVER () + "
        f"(SELECT count(*) FROM number_{name}) FROM (SELECT DISTINCT key_{name} AS key FROM keyed "
        f"ANTI JOIN number_{name} ON number_{name}.key = keyed.key_{name} "
        f"WHERE NOT own AND key_{name} IS NOT NULL)"
    )


def _made(states: Sequence[tuple[int, str | None]], matched: Sequence[MatchedLine]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in _MADE.names}
    for (place, stated), item in zip(states, matched, strict=True):
        for name, value in _row(place, stated, item).items():
            columns[name].append(value)
    return pa.table(columns, schema=_MADE)


def _row(place: int, stated: str | None, item: MatchedLine) -> Mapping[str, Any]:
    """All that is kept of a line that was worded by itself; of its parts without what it states."""
    parts = {}
    for group in GROUPS:
        tests = [test for test in item.tests if test.name in group.tests]
        told, lacking = tests_told(tests)
        parts[f"{group.name}_told"] = told and _cut(told, stated)
        parts[f"{group.name}_lacking"] = lacking
        parts[f"{group.name}_also"] = None
    if stated is not None and stated not in item.reason:
        raise EnginesDisagree(1)
    parts |= {"reason_told": _cut(item.reason, stated), "reason_lacking": None}
    parts |= {"reason_also": item.remedy, "apart_also": item.proposed_commissioner}
    lacking = _BETWEEN.join(sorted(untested_tests(item))) or None
    apart = {"pos": place, "places": _places(item.accepted), "lacking": lacking}
    return {**values_of(item), **apart, **parts}


def tests_told(tests: Iterable[Test]) -> tuple[str | None, str | None]:
    """Tests as a file of outcomes holds them, and those that could not be made; None for none."""
    told = [[test.name, test.result.value, test.detail] for test in tests]
    lacks = lacking_of(ONE, ((name, result) for name, result, _ in told))
    return json.dumps(told, ensure_ascii=False)[1:-1] or None, _BETWEEN.join(sorted(lacks)) or None


def _cut(text: str, stated: str | None) -> str:
    """The text with a place for what each line states there."""
    return text if stated is None else text.replace(stated, _SLOT, 1)


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _amounts(connection: Connection) -> None:
    """Each distinct amount as the plain functions write it."""
    columns = ", ".join(_AMOUNTS)
    cases = connection.sql(f"SELECT DISTINCT {columns} FROM keyed WHERE NOT own").to_arrow_table()
    with localcontext(prec=EXACT_DIGITS):
        said = [_written(*case) for case in zip(*cases.to_pydict().values(), strict=True)]
    for place, (name, kind) in enumerate(
        (("accepted_said", pa.string()), ("queried_said", pa.string()), ("places", pa.int32()))
    ):
        cases = cases.append_column(name, pa.array([each[place] for each in said], kind))
    connection.register("amount_said", cases)


def _written(
    total_said: str | None,
    accepted: Decimal,
    queried: Decimal,
    taken: str | None,
    charge_said: str | None,
) -> tuple[str, str, int]:
    """What is accepted and queried of a line, as text, and the places of what is accepted.

    A line that takes a charge back is counted as that charge is, whose total is `charge_said`.
    """
    total = Decimal(total_said or ZERO)
    charge, allowed = total, accepted
    if charge_said is not None:
        charge, allowed = Decimal(charge_said), -accepted
    if taken == "whole" or (taken == "split" and charge == allowed):
        part = charge
    else:
        part = exact(allowed).quantize(PENNY) if taken == "split" else ZERO
    part = part if charge_said is None else -part
    if part != accepted or total - part != queried:
        raise EnginesDisagree(1)
    return str(part), str(total - part), _places(part)


_JOINED: Final = "\n".join(
    f"    LEFT JOIN words_{name} ON words_{name}.key = numbered.{_KEY[name]}" for name in _TOLD
)


def _filled(told: str) -> str:
    return (
        f"CASE WHEN keyed.states IS NULL THEN {told} "
        f"ELSE replace({told}, '{_SLOT}', keyed.states) END"
    )


_TESTS: Final = ", ".join(("keyed.debit", *(f"words_{each.name}.told" for each in GROUPS)))
_LACKING: Final = ", ".join(
    ("keyed.debit_lacking", *(f"words_{each.name}.lacking" for each in GROUPS))
)
_STATED: Final = (
    "keyed.own_provider, keyed.own_commissioner, keyed.financial_year, keyed.financial_month, "
    "CASE WHEN keyed.financial_year IS NULL OR keyed.financial_month IS NULL "
    "THEN keyed.stated_day END AS slice_day"
)
_SLICE: Final = "own_provider, own_commissioner, financial_year, financial_month, slice_day"
_OF_MADE: Final = ", ".join(f"made.{name}" for name in _OWN.names)
_CHUNK: Final = f"""
CREATE OR REPLACE TABLE told_line AS
WITH worded AS (
    SELECT
        keyed.row, keyed.content_hash, keyed.kind, keyed.drug, keyed.drug_product,
        keyed.supplied_on, keyed.recognised_by, keyed.outcome,
        amount_said.accepted_said AS accepted, amount_said.queried_said AS queried,
        keyed.provider, keyed.reference, keyed.treatment_id,
        coalesce(pass_named.name, '') AS found_by,
        '[' || {_filled(f"concat_ws(', ', {_TESTS})")} || ']' AS tests,
        {_filled("words_reason.told")} AS reason, words_reason.also AS remedy,
        words_apart.also AS proposed_commissioner, keyed.pos,
        amount_said.places,
        nullif(concat_ws('{_BETWEEN}', {_LACKING}), '') AS lacking,
        keyed.accepted AS amount, {_STATED}
    FROM keyed
    INNER JOIN numbered ON numbered.pos = keyed.pos
    LEFT JOIN pass_named ON pass_named.pass = keyed.pass
    INNER JOIN amount_said
        ON amount_said.total_said IS NOT DISTINCT FROM keyed.total_said
        AND amount_said.accepted = keyed.accepted
        AND amount_said.queried = keyed.queried
        AND amount_said.taken IS NOT DISTINCT FROM keyed.taken
        AND amount_said.charge_said IS NOT DISTINCT FROM keyed.charge_said
{_JOINED}
    WHERE NOT keyed.own
)

FROM worded
UNION ALL
SELECT {_OF_MADE}, made.places, made.lacking, keyed.accepted AS amount, {_STATED}
FROM keyed
INNER JOIN made ON made.pos = keyed.pos
WHERE keyed.own
"""
_ROW: Final = ", ".join(f"{{}}.{name}" for name in _OWN.names)


def _check(connection: Connection, lines: int) -> None:
    """Every line is there once, and each that was worded by itself says what it says by its keys.

    That holds for those that were compared, and for the first of each kind, from which the words
    of a part were taken and not of the whole.
    """
    (count,) = connection.sql("SELECT count(*) FROM told_line").fetchall()[0]
    one, other = (_ROW.replace("{}", name) for name in ("told_line", "made"))
    (differing,) = connection.sql(
        f"SELECT count(*) FROM told_line INNER JOIN made ON made.pos = told_line.pos "
        f"WHERE ROW({one}) IS DISTINCT FROM ROW({other})"
    ).fetchall()[0]
    if count != lines or differing:
        raise EnginesDisagree(differing + abs(lines - count))


#: What lacked of the lines so far, by slice and by the tests that could not be made.
_LACKED_TABLE: Final = """
CREATE TABLE lacked (
    own_provider VARCHAR, own_commissioner VARCHAR, financial_year VARCHAR,
    financial_month TINYINT, slice_day DATE, lacking VARCHAR, places INTEGER,
    amount DECIMAL(38, 8)
)
"""
_LACKED: Final = f"""
INSERT INTO lacked
SELECT {_SLICE}, lacking, max(places), sum(amount) FROM told_line
WHERE lacking IS NOT NULL AND amount <> 0
GROUP BY {_SLICE}, lacking
"""


def _lacking(connection: Connection) -> Iterator[Lacking]:
    for *stated, names, places, amount in connection.sql(
        f"SELECT {_SLICE}, lacking, max(places), sum(amount) FROM lacked GROUP BY {_SLICE}, lacking"
    ).fetchall():
        with localcontext(prec=EXACT_DIGITS):
            written = amount.quantize(ONE.scaleb(-places))
        yield tuple(stated), names.split(_BETWEEN), written
