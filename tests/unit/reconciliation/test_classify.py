"""What kind of charge a line is, on specimens of real names."""

import pytest

from app.reconciliation import LineKind, classify
from app.reference_data.drugs import load_drugs
from tests.unit.reconciliation.builders import cells, submission


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HC ADALIMUMAB IMRALDI 40 mg Injection Pre Filled Pen", LineKind.DRUG),
        ("ADALIMUMAB (D2E7) - HOMECARE 40 mg Preloaded Pen", LineKind.DRUG),
        ("HOMECARE ADALIMUMAB!40mg/0.8mL! PEN (HYRIMOZ)", LineKind.DRUG),
        ("(HOME) OBETICHOLIC ACID", LineKind.DRUG),
        # how it was supplied, not a charge for the delivery
        ("ADALIMUMAB home delivery", LineKind.DRUG),
        ("ADALIMUMAB home delivery charge", LineKind.FEE),
        ("Aseptic Cost - TRASTUZUmab", LineKind.FEE),
        ("GAINSHARE - INFLIXIMAB", LineKind.FEE),
        ("IVIG ANCILLARIES PK B3 (HOME DELIVERY)", LineKind.DEVICE),
        ("Obeticholic Acid - PAS Credit", LineKind.CREDIT),
        ("BEVACIZUMAB - chall credit M03", LineKind.CREDIT),
        ("ADALIMUMAB rebate", LineKind.CREDIT),
        ("NATALIZUMAB (FOC) 300 mg in 15 ml Intravenous Infu", LineKind.FREE_OF_CHARGE),
        ("ALEMTUZUMAB (FOC- CAMPATH ACCESS PROGRAM) 30 mg i", LineKind.FREE_OF_CHARGE),
        ("ADALIMUMAB free of charge", LineKind.FREE_OF_CHARGE),
        ("natalizumab EAMS", LineKind.FREE_OF_CHARGE),
        ("compassionate use natalizumab", LineKind.FREE_OF_CHARGE),
        ("Homecare delivery charge", LineKind.FEE),
        ("NURSING VISIT", LineKind.FEE),
        ("FREESTYLE LIBRE SENSOR", LineKind.DEVICE),
        ("BD needles 8mm", LineKind.DEVICE),
        ("ROS1 test", LineKind.NOT_A_DRUG),
        ("Drugs Miscellaneous", LineKind.NOT_A_DRUG),
        ("Frobnicab pre-filled syringe", LineKind.UNKNOWN),
        (" blepharospasm", LineKind.UNKNOWN),
        ("Creditol", LineKind.UNKNOWN),  # whole words only
        ("", LineKind.UNKNOWN),
    ],
)
def test_a_name_tells_the_kind_of_its_line(name: str, kind: LineKind) -> None:
    (line,) = submission(cells(drug=name)).lines
    recognition = load_drugs().recognise(line.drug_code, line.drug_name, line.supply_date)
    assert classify(line, recognition) is kind


def test_a_negative_total_is_a_credit_whatever_its_name() -> None:
    (line,) = submission(cells(drug="NATALIZUMAB (FOC)", total="(5.00)")).lines
    recognition = load_drugs().recognise(None, line.drug_name, None)
    assert classify(line, recognition) is LineKind.CREDIT
