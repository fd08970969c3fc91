"""The benchmark's yardstick: matching in pandas, as an analyst with a morning would write it.

It does much less than the engines: a reference first, then NHS number and drug within the dates
(the widest approval where several fit), repeats of the whole row, and a look at provider, price and
quantity. No local identifiers, no pauses, no birth dates, no order of tests, no reason, and amounts
as floats, so that totals are right only to a rounding. What it costs says what a commissioner's
analyst pays today for that much.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

#: Not among the dependencies: only who has it measures it.
pd: Any = importlib.import_module("pandas")

_LINE = [
    *("pos", "kind", "content_hash", "nhs_number", "drug", "provider", "reference"),
    *("supply_date", "total", "quantity", "unit_price"),
]
_COVERAGE = [
    *("cov", "approval_reference", "nhs_number", "drug", "provider", "from_day", "last_day"),
    *("usable", "price_cap", "quantity_cap"),
]


def reconcile(folder: Path) -> None:
    """Match the folder's lines and write each with its bucket; print the buckets."""
    lines = pd.read_parquet(folder / "line.parquet", columns=_LINE)
    approvals = pd.read_parquet(folder / "coverage.parquet", columns=_COVERAGE)
    for frame, names in ((lines, ("total", "quantity", "unit_price")),
                         (approvals, ("price_cap", "quantity_cap"))):  # fmt: skip
        frame[list(names)] = frame[list(names)].astype(float)
    _as_days(lines, "supply_date")
    _as_days(approvals, "from_day", "last_day")
    approvals = approvals[approvals["usable"]]
    drugs = lines[lines["kind"] == "drug"]
    repeated = drugs["content_hash"].duplicated()
    looked_at = drugs[~repeated]
    by_reference = looked_at.dropna(subset=["reference"]).merge(
        approvals.assign(reference=approvals["approval_reference"]),
        on=["reference", "drug"],
        suffixes=("", "_approved"),
    )
    found = _first(by_reference)
    rest = looked_at[~looked_at["pos"].isin(found["pos"])].dropna(subset=["nhs_number"])
    by_number = rest.merge(approvals, on=["nhs_number", "drug"], suffixes=("", "_approved"))
    found = pd.concat([found, _first(by_number)], ignore_index=True)
    found["bucket"] = "matched"
    used = found.sort_values("supply_date").groupby("cov")["quantity"].cumsum()
    found.loc[used.reindex(found.index) > found["quantity_cap"], "bucket"] = "over quantity"
    found.loc[found["unit_price"] > found["price_cap"], "bucket"] = "over price"
    found.loc[found["provider"] != found["provider_approved"], "bucket"] = "another provider"
    lines = lines.merge(found[["pos", "cov", "bucket"]], on="pos", how="left")
    lines["bucket"] = lines["bucket"].fillna("no approval")
    lines.loc[lines["kind"] != "drug", "bucket"] = "not a drug"
    lines.loc[lines["pos"].isin(drugs.loc[repeated, "pos"]), "bucket"] = "repeated"
    lines.to_parquet(folder / "pandas-outcome.parquet")
    told = lines.groupby("bucket").agg(n=("pos", "size"), total=("total", "sum"))
    print(f"{len(lines):,} lines, £{lines['total'].sum():,.2f} (floats)")
    for bucket, row in told.sort_values("n", ascending=False).iterrows():
        print(f"{int(row['n']):>11,}  {bucket}")


def _as_days(frame: Any, *names: str) -> None:
    for name in names:
        frame[name] = pd.to_datetime(frame[name])


def _first(pairs: Any) -> Any:
    """Of each line's approvals that hold its day, the one that runs longest."""
    held = pairs[pairs["supply_date"].between(pairs["from_day"], pairs["last_day"])]
    held = held.assign(width=held["last_day"] - held["from_day"])
    kept = held.sort_values(["width", "cov"], ascending=[False, True]).drop_duplicates("pos")
    return kept.drop(columns="width")
