"""The first dose of an imported treatment can be recorded, so that its continuation is decided."""

import datetime as dt
from pathlib import Path

from app.approvals.importing import accept_import, preview_import
from app.approvals.starting import record_first_dose
from app.approvals.store import find_treatment
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.world import PHARMACIST, World

EXPORT = Path(__file__).parents[3] / "examples" / "blueteq_export.csv"


def test_a_first_dose_before_the_old_approval_is_recorded_and_moves_no_day(world: World) -> None:
    data = EXPORT.read_bytes()
    preview = world.do(
        lambda w: preview_import(
            w, world.office, load_drugs(), load_organisations(), PHARMACIST, data, "export.csv"
        )
    )
    result = world.do(lambda w: accept_import(w, world.office, PHARMACIST, preview.id))
    treatment_id = next(row.treatment_id for row in result.rows if row.treatment_id)
    assert treatment_id is not None
    before = world.do(lambda w: find_treatment(w, PHARMACIST, treatment_id))
    view = world.do(
        lambda w: record_first_dose(
            w, world.office, PHARMACIST, treatment_id, dt.date(2019, 1, 7), before.version
        )
    )
    assert view.treatment.first_dose == dt.date(2019, 1, 7)
    approval = view.approvals[0]
    assert view.segments[0].from_day == approval.covers_from
    assert approval.covers_from > dt.date(2019, 1, 7)
