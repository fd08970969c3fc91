import pytest

from app.reference_data.kinds import kind_words, marker_kinds


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
    ("marker", "kind"),
    [
        ("delivery", "fee"),
        ("nursing", "fee"),
        ("service fee", "fee"),
        ("homecare fee", "fee"),
        ("device", "device"),
        ("sensor", "device"),
        ("needle", "device"),
        ("credit", "credit"),
        ("rebate", "credit"),
        ("PAS credit", "credit"),
        ("FOC", "free of charge"),
        ("free of charge", "free of charge"),
        ("compassionate", "free of charge"),
        ("EAMS", "free of charge"),
        ("trial", "free of charge"),
        ("home delivery", "note"),
    ],
)
def test_each_marker_tells_of_one_kind_of_line(marker: str, kind: str) -> None:
    assert marker_kinds()[marker] == kind
