"""The newest events of the largest hospital and the largest payer, for the pages' benchmark: lists
and searches that people looked at, each on record with the fifty treatments that it showed."""

from __future__ import annotations

import datetime as dt
from typing import Final

import sqlalchemy as sa

#: Of each organisation: more than an auditor's page looks through.
READINGS: Final = 60_000
_SHOWN: Final = 50
#: Treatments that lists show, at most: each list another fifty of them.
_AMONG: Final = 5_000
ACTION: Final = "treatments searched (benchmark)"
_ADD: Final = f"""
WITH shown AS MATERIALIZED (
  SELECT array_agg(id ORDER BY id) AS ids FROM (
    SELECT id FROM treatment WHERE {{column}} = :organisation ORDER BY id LIMIT {_AMONG}
  ) AS t
), told AS MATERIALIZED (
  SELECT gen_random_uuid()::text AS payload_id,
    json_build_object('after', json_build_object('hits', {_SHOWN}, 'treatments',
      to_json(ids[first + 1 : first + {_SHOWN}])), 'before', NULL)::text AS body
  FROM shown, generate_series(1, :count) AS i,
    LATERAL (SELECT i * 37 % (array_length(ids, 1) - {_SHOWN}) AS first) AS f
), kept AS (
  INSERT INTO audit_payload (id, salt, body, organisation)
  SELECT payload_id, repeat('0', 64), body, :organisation FROM told
)
INSERT INTO audit_event (at, actor, actor_kind, organisation, role, client, action, object_type,
  object_id, object_number, after_digest, payload_id, correlation_id, xid, hmac)
SELECT :at, 'bench', 'person', :organisation, 'clinician', 'bench', :action, 'reading',
  gen_random_uuid()::text, 1, repeat('0', 64), payload_id, 'bench',
  pg_current_xact_id()::text::bigint, repeat('0', 64) FROM told
"""


def add_readings(owner: sa.Engine, at: dt.datetime, count: int = READINGS) -> None:
    """Add so many of each, where there are none yet."""
    with owner.begin() as connection:
        for column, organisation in (("provider", "DEMO1"), ("commissioner", "DEMQ1")):
            given = {"organisation": organisation, "action": ACTION}
            known = sa.text(
                "SELECT 1 FROM audit_event WHERE organisation = :organisation "
                "AND action = :action LIMIT 1"
            )
            if connection.execute(known, given).first() is None:
                connection.execute(
                    sa.text(_ADD.format(column=column)), {**given, "at": at, "count": count}
                )
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) audit_event, audit_payload")
