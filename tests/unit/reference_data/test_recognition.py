"""What a name and a code are taken to mean, by example."""

import datetime as dt

import pytest

from app.reference_data.drugs import DrugDictionary, load_drugs
from app.reference_data.model import Synonym
from app.reference_data.presentation import load_forms
from app.reference_data.recognition import build_lexicon, recognise

TODAY = dt.date(2026, 11, 22)
NATALIZUMAB_VIAL = "36030311000001108"
HYQVIA_LIKE = "28989811000001103"


@pytest.fixture(scope="module")
def dictionary() -> DrugDictionary:
    return load_drugs()


@pytest.mark.parametrize(
    ("name", "drug", "product"),
    [
        ("natalizumab", "natalizumab", None),
        ("  Natalizumab\t300MG ", "natalizumab", None),
        ("TYSABRI 300mg conc", "natalizumab", "tysabri"),
        ("Tyruko 300mg/15ml", "natalizumab", "tyruko"),
        ("NATALIZUMABINJECTION20mg/ml", "natalizumab", None),
        ("HOMECAREADALIMUMAB40mgPEN", "adalimumab", None),
        ("HC ADALIMUMAB IMRALDI 40 mg Injection Pre Filled Pen", "adalimumab", "imraldi"),
        ("HOMECARE ADALIMUMAB!40mg/0.8mL! PEN (HYRIMOZ)", "adalimumab", "hyrimoz"),
        ("ADALIMUMAB (D2E7) - HOMECARE 40 mg Preloaded Pen", "adalimumab", None),
        ("WM YUFLYMA 40mg", "adalimumab", "yuflyma"),
        ("ADALIMUMAB\u00c3\u00ac40mg", "adalimumab", None),
        ("adali\u00admumab 40mg", "adalimumab", None),
        ("ADALIMUMAB (HUMIRA) was IMRALDI", "adalimumab", None),
        ("(HOME) OBETICHOLIC ACID", "obeticholic-acid", None),
        ("OBETICHOLIC", "obeticholic-acid", None),
        ("Ocaliva 10mg Tab 30", "obeticholic-acid", "ocaliva"),
        ("NORMAL IMMUNOGLOBULIN!10g/100mL INFUSION!(PRIVIGEN)", "immunoglobulin", "privigen"),
        ("IVIG CUVITRU (HOME DELIVERY)", "immunoglobulin", "cuvitru"),
        ("FLEBOGAMMADIF 5 g Immunoglobulin", "immunoglobulin", "flebogamma"),
        ("Gammanorm Nursing", "immunoglobulin", "gammanorm"),
        ("NORMAL IMMUNOGLOBULIN HUMAN + HYALURONIDASE 10 g", "immunoglobulin", "hyqvia"),
        ("Normal Immunoglobulin (*Hizentra & HyQvia)", "immunoglobulin", None),
        ("human normal immunoglobulin for anti-NMDA encephalitis", "immunoglobulin", None),
        ("SC IG 20%", "immunoglobulin", None),
        ("IG HUMAN NORMAL", "immunoglobulin", None),
        ("IMMUNOGLOBULIN (PRIMARY ANTIBODY DEFICIENCY)", "immunoglobulin", None),
        ("obeti cholic acid", "obeticholic-acid", None),
        ("OBETICHOLICACID 5MG", "obeticholic-acid", None),
        ("URSODEOXYCHOLIC ACID 250mg", "ursodeoxycholic-acid", None),
        ("Cholic acid 50mg", "cholic-acid", None),
        ("REMICADE 100mg", "infliximab", "remicade"),
        ("Enbrel", "etanercept", "enbrel"),
        ("PEG INTERFERON BETA 1A", "peginterferon-beta-1a", None),
        ("TRASTUZUMAB EMTANSINE 100mg", "trastuzumab-emtansine", None),
        ("Sofosbuvir 400mg / Velpatasvir 100mg", "sofosbuvir-velpatasvir", None),
        ("DIMETHYL FUMARATE 240mg", "dimethyl-fumarate", None),
    ],
)
def test_a_reviewed_synonym_decides(
    dictionary: DrugDictionary, name: str, drug: str, product: str | None
) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.drug, found.product, found.how) == (drug, product, "synonym")
    assert found.suggestion is None


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        ("ANTI-D IMMUNOGLOBULIN 1500iu", "anti-d-immunoglobulin"),
        ("Human Anti D (Rh0) Immunoglobulin", "anti-d-immunoglobulin"),
        ("Rhophylac 300", "anti-d-immunoglobulin"),
        ("IMMUNOGLOBULIN ANTI-TETANUS (Human)", "tetanus-immunoglobulin"),
        ("Tetanus (human) immunoglobulin 250 units", "tetanus-immunoglobulin"),
        ("HEPATITIS B IMMUNOGLOBULIN!500units", "hepatitis-b-immunoglobulin"),
        ("IMMUNOGLOBULIN-HEP B (ZUTECTRA)", "hepatitis-b-immunoglobulin"),
        ("ANTITHYMOCYTE IMMUNOGLOBULIN (RABBIT)", "antithymocyte-immunoglobulin"),
        ("ANTI-THYMOCYTE GLOBULIN (EQUINE)", "antithymocyte-immunoglobulin"),
        ("ATG 25mg", "antithymocyte-immunoglobulin"),
        ("Varicella zoster Ig", "varicella-zoster-immunoglobulin"),
        ("VARICELLA-ZOSTER IMMUNOGLOBULIN", "varicella-zoster-immunoglobulin"),
        ("Rabies immunoglobulin", "rabies-immunoglobulin"),
        ("CMV IMMUNOGLOBULIN (Cytotect)", "cytomegalovirus-immunoglobulin"),
        ("HEPB IMMUNOGLOBULIN", "hepatitis-b-immunoglobulin"),
        ("IMMUNOGLOBULIN HUMAN ANTI HEPATITIS B", "hepatitis-b-immunoglobulin"),
        ("Human Rabies Ig", "rabies-immunoglobulin"),
        ("PENTAGLOBIN", "igm-enriched-immunoglobulin"),
    ],
)
def test_other_immunoglobulins_are_never_human_normal_immunoglobulin(
    dictionary: DrugDictionary, name: str, drug: str
) -> None:
    assert dictionary.recognise(None, name, TODAY).drug == drug


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Botulism immunoglobulin", "immunoglobulin"),
        ("IMMUNOGLOBULIN LEVELS", "immunoglobulin"),
        ("IMMUNOGLOBULIN (specific)", "immunoglobulin"),
        # Cut off at fifty characters.
        ("HOMECARE - IMMUNOGLOBULIN (HUMAN) 500 units HEPATI", "immunoglobulin"),
        ("HOMECARE - IMMUNOGLOBULIN (HUMAN) 250 units TETANU", "immunoglobulin"),
        ("IMMUNOGLOBULIN HUMAN 25 mg in 5ml Inj ANTITHYMOCY", "antithymocyte-immunoglobulin"),
    ],
)
def test_an_immunoglobulin_of_another_or_unclear_kind_is_only_suggested(
    dictionary: DrugDictionary, name: str, suggestion: str
) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.drug, found.how, found.suggestion) == (None, "none", suggestion)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("HOMECARE DELIVERY OF PRE FILLED PEN 40mg  ADALIMUM", "adalimumab"),
        ("NATALIZ", "natalizumab"),
        ("adalinumap 40mg", "adalimumab"),
        ("Ocalivva", "obeticholic-acid"),
        ("ADALIMUMABXX 40mg", "adalimumab"),
        ("DIMETHYL", "dimethyl-fumarate"),
    ],
)
def test_a_name_cut_off_or_merely_alike_is_only_suggested(
    dictionary: DrugDictionary, name: str, suggestion: str
) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.drug, found.how, found.suggestion) == (None, "none", suggestion)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "   ",
        "acid",
        "IMMUNO 1 MONTHLY DELIVERY",
        "Drugs Miscellaneous",
        " blepharospasm",
        "HOMECARE DELIVERY CHARGE",
        "BACLOFEN INTRATHECAL 10mg",
        "PARACETAMOLUMAB",
    ],
)
def test_a_name_without_a_drug_gives_no_drug(dictionary: DrugDictionary, name: str | None) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.drug, found.product, found.how) == (None, None, "none")


def test_a_drugs_letters_inside_another_word_are_no_drug(dictionary: DrugDictionary) -> None:
    assert dictionary.recognise(None, "PSEUDOADALIMUMABOL", TODAY).drug is None


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("HUMIRA / ENBREL", ("adalimumab", "etanercept")),
        ("METHOTREXATE (with ADALIMUMAB)", ("methotrexate", "adalimumab")),
        ("NORMAL IMMUNOGLOBULIN (Rhophylac 300)", ("immunoglobulin", "anti-d-immunoglobulin")),
        ("TYSABRI (ADALIMUMAB)", ("natalizumab", "adalimumab")),
    ],
)
def test_a_name_with_two_drugs_decides_neither(
    dictionary: DrugDictionary, name: str, candidates: tuple[str, ...]
) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.drug, found.how, found.candidates) == (None, "none", candidates)
    assert found.suggestion == candidates[0]
    assert not found.conflict


@pytest.mark.parametrize(
    ("code", "name", "drug", "product", "how"),
    [
        (NATALIZUMAB_VIAL, None, "natalizumab", None, "code"),
        (NATALIZUMAB_VIAL, "Drugs Miscellaneous", "natalizumab", None, "code"),
        (NATALIZUMAB_VIAL, "TYSABRI", "natalizumab", "tysabri", "code"),
        ("414806008", "", "natalizumab", None, "code"),
        (HYQVIA_LIKE, None, "immunoglobulin", "hyqvia", "code"),
        (HYQVIA_LIKE, "PRIVIGEN", "immunoglobulin", None, "code"),
        ("3.60303E+16", "HUMIRA", "adalimumab", "humira", "synonym"),
        ("36030311000001100", "HUMIRA", "adalimumab", "humira", "synonym"),
        ("36030311000001100", None, None, None, "none"),
        ("24700007", "HUMIRA", "adalimumab", "humira", "synonym"),
    ],
)
def test_a_known_whole_code_decides_and_any_other_is_passed_over(
    dictionary: DrugDictionary,
    code: str,
    name: str | None,
    drug: str | None,
    product: str | None,
    how: str,
) -> None:
    found = dictionary.recognise(code, name, TODAY)
    assert (found.drug, found.product, found.how) == (drug, product, how)
    assert not found.conflict


@pytest.mark.parametrize("name", ["HUMIRA", "NATALIZUMAB and HUMIRA", "ANTI-D IMMUNOGLOBULIN"])
def test_a_code_and_a_name_that_disagree_decide_nothing(
    dictionary: DrugDictionary, name: str
) -> None:
    found = dictionary.recognise(NATALIZUMAB_VIAL, name, TODAY)
    assert (found.drug, found.how, found.conflict) == (None, "none", True)
    assert found.reason == "code and name disagree"
    assert found.candidates[0] == "natalizumab"


def test_the_reason_says_that_a_damaged_code_was_ignored(dictionary: DrugDictionary) -> None:
    assert "damaged" in dictionary.recognise("3.60303E+16", "HUMIRA", TODAY).reason
    assert "not in the table" in dictionary.recognise("24700007", "HUMIRA", TODAY).reason


def test_words_left_over_are_given_for_review(dictionary: DrugDictionary) -> None:
    found = dictionary.recognise(None, "HC ADALIMUMAB (HUMIRA) 40mg PEN eastern clinic", TODAY)
    assert found.words == ("eastern", "clinic")


@pytest.mark.parametrize(
    ("on", "drug"),
    [
        (dt.date(2024, 12, 31), None),
        (dt.date(2025, 1, 1), "adalimumab"),
        (dt.date(2025, 6, 30), "adalimumab"),
        (dt.date(2025, 7, 1), None),
        (None, "adalimumab"),
    ],
)
def test_a_synonym_decides_only_on_the_days_it_holds(on: dt.date | None, drug: str | None) -> None:
    synonym = Synonym(
        words=("newbrand",),
        any_order=False,
        unless=frozenset(),
        drug="adalimumab",
        product="newbrand",
        from_=dt.date(2025, 1, 1),
        to=dt.date(2025, 6, 30),
        reviewed_on=dt.date(2025, 1, 1),
        basis="brand",
    )
    lexicon = build_lexicon([synonym], noise=frozenset(), glue=frozenset())
    assert recognise(lexicon, {}, load_forms(), None, "NewBrand 40mg", on).drug == drug


@pytest.mark.parametrize(
    ("name", "strength", "form", "pack"),
    [
        ("ADALIMUMAB 40mg/0.8mL!PRE-FILLED PEN (2)", "40mg/0.8ml", "pre-filled pen", "2"),
        ("ADALIMUMAB 40mg-0.8mL PF SYRINGE", "40mg/0.8ml", "pre-filled syringe", None),
        ("NATALIZUMAB 300 mg in 15 ml Intravenous Infusion", "300mg/15ml", "infusion", None),
        ("NATALIZUMAB 20 mg in 1mL Conc.", "20mg/1ml", None, None),
        ("NATALIZUMABINJECTION20mg/ml", "20mg/ml", "injection", None),
        ("NATALIZUMAB 300mg in 0.9% Sodium Chloride", "300mg", None, None),
        ("OCALIVA 5MG TABLETS (INTERCEPT) 30 TABLET", "5mg", "tablet", "30"),
        ("Obeticholic 10 mgtablets", "10mg", None, None),
        ("IMMUNOGLOBULIN!8,000mg/48mL INJECTION", "8000mg/48ml", "injection", None),
        ("IMMUNOGLOBULIN (PRIVIGEN 10%)", "10%", None, None),
        ("PRIVIGEN 2.5 g vial [1]", "2.5g", "vial", "1"),
        ("Avonex 30 µg pen", "30microgram", "pre-filled pen", None),
        ("HOMECARE IMRALDI 40 mg pen 2 x 40mg prefilled pen", "40mg", "pre-filled pen", "2"),
        ("ADALIMUMAB", None, None, None),
    ],
)
def test_strength_form_and_pack_are_read_as_written(
    dictionary: DrugDictionary,
    name: str,
    strength: str | None,
    form: str | None,
    pack: str | None,
) -> None:
    found = dictionary.recognise(None, name, TODAY)
    assert (found.strength, found.form, found.pack) == (strength, form, pack)


def test_strength_and_form_come_from_the_code_where_the_name_gives_none(
    dictionary: DrugDictionary,
) -> None:
    found = dictionary.recognise(NATALIZUMAB_VIAL, None, TODAY)
    assert (found.strength, found.form) == ("300mg/15ml", "vial")
