import datetime as dt

import pytest

from app.reference_data import kinds
from app.reference_data.data_files import parse_rows
from app.reference_data.errors import ReferenceDataFault
from app.reference_data.kinds import fee_sort_in, kind_in, kind_words, load_kind_words

HEADER = "phrase,marker,line_kind,with_drug,fee_sort,from,to,reviewed_on\n"


@pytest.mark.parametrize(
    ("name", "markers"),
    [
        ("HOMECARE ADALIMUMAB", set()),
        ("(HOME) OBETICHOLIC ACID", set()),
        ("HC ADALIMUMAB (HUMIRA)", set()),
        ("RUXOLITINIB (PAS) 20 mg Tablets", set()),
        ("DEXAMETHASONE Sugar-Free 2mg", set()),
        ("CERTOLIZUMAB (CHARGEABLE) 200 mg", set()),
        ("ADALIMUMAB 40mg pre-filled disposable devices", set()),
        ("ADALIMUMAB PREFILLED DEVICE - (HYRIMOZ)", set()),
        ("SECUKINUMAB SENSOREADY PEN", set()),
        ("Obeticholic Acid - PAS Credit", {"PAS credit"}),
        ("UCB PAS REBATE", {"PAS credit"}),
        ("BEVACIZUMAB - chall credit M03", {"credit"}),
        ("TRASTUZUMAB NURSE CHARGE (CREDIT NOTE)", {"nursing", "credit"}),
        ("ANNUAL REBATE", {"rebate"}),
        ("ADALIMUMAB (HOME DELIVERY)", {"home delivery"}),
        ("ADALIMUMAB **HOMECARE DELIVERY ONLY**", {"home delivery"}),
        ("IVIG DELIVERY CHARGE (HOME DELIVERY)", {"delivery", "home delivery"}),
        ("Homecare Delivery Charges & Fees", {"delivery", "fee"}),
        ("Gammanorm Nursing", {"nursing"}),
        ("GLECAPREVIR 100MG / PIBRENTASVIR 40MG TAService Fee", {"service fee"}),
        ("Homecare Charge:  Dabrafenib_HC", {"homecare fee"}),
        ("ENTECAVIR 1MG TABLETSBenefit Share", {"gain share"}),
        ("FREESTYLE LIBRE Sensor", {"sensor"}),
        ("HIGHFLO NEEDLE 4 SITE 26g 9MM", {"needle"}),
        ("BAXTER FOLFUSOR Device", {"device"}),
        ("Subgam Ancilliaries", {"ancillaries"}),
        ("HOMECARE - IG (PUMP hire)", {"equipment"}),
        ("NATALIZUMAB (FOC) 300 mg", {"FOC"}),
        ("IBRUTINIB (FREE OF CHARGE STOCK)", {"free of charge"}),
        ("IBRUTINIB(FREEOFCHARGESTOCK)CAPSULE140mg", {"free of charge"}),
        ("ALECTINIB (COMPASSIONATE USE)", {"compassionate"}),
        ("DUPILUMAB (FOC via EAMS)", {"FOC", "EAMS"}),
        ("CABAZITAXEL (Clinical Trial)", {"trial"}),
        ("PRIVIGEN 10 g (net of return)", {"net of return"}),
        ("ADALIMUMAB REFERENCE PRICE", {"reference price"}),
        ("", set()),
    ],
)
def test_kind_words_are_found_as_whole_words_and_longest_first(
    name: str, markers: set[str]
) -> None:
    assert kind_words(name) == markers


@pytest.mark.parametrize(
    ("name", "with_drug", "kind"),
    [
        ("NATALIZUMAB DELIVERY CHARGE", True, "fee or delivery"),
        ("ADALIMUMAB (HOME DELIVERY)", True, None),
        ("ELIGLUSTAT (HOME DELIVERY)", False, None),
        ("HOME DELIVERY (2)", False, "fee or delivery"),
        ("Obeticholic Acid - PAS Credit", True, "credit or rebate"),
        ("FREESTYLE LIBRE Sensor", False, "device or consumable"),
        ("ETANERCEPT NEEDLE-FREE DEVICE", True, None),
        ("NEEDLE DEVICE", False, "device or consumable"),
        ("DUPILUMAB (FOC via EAMS)", True, "free of charge"),
        ("NATALIZUMAB (FOC) NURSING FEE", True, "free of charge"),
        ("TRASTUZUMAB NURSE CHARGE (CREDIT NOTE)", True, "credit or rebate"),
        ("SUBGAM ANCILLARIES DELIVERY", True, "fee or delivery"),
        ("PACLITAXEL SUPPLY FOR TEST", True, None),
        ("ROS1 test", False, "not a drug"),
        ("PRIVIGEN 10 g (net of return)", True, None),
        ("Vedolizumab Aseptic Fee", True, "fee or delivery"),
        ("ENTECAVIR 1MG TABLETSBenefit Share", True, "fee or delivery"),
    ],
)
def test_the_first_of_several_kinds_counts_and_some_words_only_without_a_drug(
    name: str, with_drug: bool, kind: str | None
) -> None:
    assert kind_in(name, None, with_drug=with_drug) == kind


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("HOMECARE DELIVERY CHARGE", "home delivery"),
        ("Aseptic Cost - etoposide", "dispensing fee"),
        ("DISPENSING FEE AND DELIVERY CHARGE", "dispensing fee"),
        ("NURSING VISIT (HOME DELIVERY)", "service fee"),
        ("IMRALDI", "service fee"),
    ],
)
def test_a_fee_is_held_against_one_sort_of_charge(name: str, sort: str) -> None:
    assert fee_sort_in(name, None) == sort


def test_words_count_on_the_days_on_which_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    table = HEADER + "levy,levy,fee or delivery,true,service fee,2024-04-01,2025-03-31,2026-11-30\n"
    monkeypatch.setattr(kinds, "read_rows", lambda name, columns: parse_rows(table, name, columns))
    words = load_kind_words.__wrapped__()
    days = [dt.date(2024, 3, 31), dt.date(2024, 4, 1), dt.date(2025, 3, 31), dt.date(2025, 4, 1)]
    assert [bool(words.find("NATALIZUMAB LEVY", day)) for day in days] == [False, True, True, False]
    assert words.changes() == [dt.date(2024, 4, 1), dt.date(2025, 4, 1)]


@pytest.mark.parametrize(
    "row",
    [
        "levy,levy,tax,true,,,,2026-11-30",
        "levy,levy,fee or delivery,true,,,,2026-11-30",
        "levy,levy,free of charge,true,service fee,,,2026-11-30",
        "levy,,fee or delivery,true,service fee,,,2026-11-30",
        "Levy,levy,fee or delivery,true,service fee,,,2026-11-30",
        "levy,levy,fee or delivery,,service fee,,,2026-11-30",
    ],
)
def test_a_row_at_fault_is_named(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = HEADER + row + "\n"
    monkeypatch.setattr(kinds, "read_rows", lambda name, columns: parse_rows(table, name, columns))
    with pytest.raises(ReferenceDataFault, match="row 1"):
        load_kind_words.__wrapped__()
