"""What a PostgreSQL database's catalogue says of the schema, to compare two databases by."""

from __future__ import annotations

from collections import Counter
from typing import Final

import sqlalchemy as sa

#: A name for each kind of thing, and the rows that tell what it is like. Nothing here is an object
#: identifier or a size, which differ from one database to the next.
_TOLD: Final = {
    "table": """
SELECT c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
       c.reloptions, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a),
       pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
""",
    "column": """
SELECT a.attrelid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
  AND NOT a.attisdropped
""",
    "index": """
SELECT pg_get_indexdef(indexrelid), indisvalid, indisready, indislive, indisunique, indisprimary
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace
""",
    "constraint": """
SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
""",
    "trigger": """
SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
""",
    "trigger of a constraint": """
SELECT tgrelid::regclass::text, tgfoid::regproc::text, tgenabled, count(*)
FROM pg_trigger WHERE tgisinternal GROUP BY 1, 2, 3
""",
    "policy": """
SELECT polrelid::regclass::text, polname, polcmd, polpermissive,
       ARRAY(SELECT r::regrole::text FROM unnest(polroles) r ORDER BY 1),
       pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
FROM pg_policy
""",
    "function": """
SELECT oid::regprocedure::text, pg_get_functiondef(oid),
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(proacl) a)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
""",
    "version": "SELECT version_num FROM alembic_version",
}


def catalogue(engine: sa.Engine) -> Counter[str]:
    """Each thing of the schema as a line of text, and how often it is there."""
    with engine.connect() as connection:
        return Counter(
            f"{kind}: {tuple(row)}"
            for kind, query in _TOLD.items()
            for row in connection.exec_driver_sql(query)
        )


def check_same(found: sa.Engine, fresh: sa.Engine) -> None:
    """Raise where the schemas differ, saying in what."""
    here, there = catalogue(found), catalogue(fresh)
    if not sum(there.values()):
        raise AssertionError("the freshly migrated database has no schema to compare with")
    lines = [f"only in the filled one: {line}" for line in sorted(here - there)]
    lines += [f"only in the migrated one: {line}" for line in sorted(there - here)]
    if lines:
        raise AssertionError("the schema is not that of the migrations\n" + "\n".join(lines))
