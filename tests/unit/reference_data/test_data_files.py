"""The packaged files hold together; a fault in one names its file and row."""

import pytest

from app.reference_data.clinical_code import read_code
from app.reference_data.data_files import parse_rows, read_rows
from app.reference_data.drugs import DrugDictionary, load_drugs
from app.reference_data.errors import ReferenceDataFault

CONTRACT = {
    "natalizumab": {"tysabri", "tyruko"},
    "obeticholic-acid": {"ocaliva"},
    "immunoglobulin": {
        *("privigen", "octagam", "gammaplex", "gamunex", "flebogamma", "intratect", "kiovig"),
        *("panzyga", "iqymune", "hizentra", "cuvitru", "hyqvia", "gammanorm", "subgam"),
        *("subcuvia", "vivaglobin"),
    },
    "adalimumab": {
        *("humira", "imraldi", "amgevita", "hyrimoz", "hulio", "idacio", "yuflyma"),
        *("hukyndra", "libmyris"),
    },
}


@pytest.fixture(scope="module")
def dictionary() -> DrugDictionary:
    return load_drugs()


@pytest.mark.parametrize("drug", CONTRACT)
def test_drugs_with_a_policy_have_their_products(dictionary: DrugDictionary, drug: str) -> None:
    assert dictionary.keys()[drug] >= CONTRACT[drug]
    assert dictionary.drug(drug).policy_family != "none"
    assert dictionary.drug(drug).snomed_codes


def test_only_the_four_drugs_have_a_policy_family(dictionary: DrugDictionary) -> None:
    families = {k for k, drug in dictionary.drugs.items() if drug.policy_family != "none"}
    assert families == set(CONTRACT)


@pytest.mark.parametrize(
    ("drug", "product", "biosimilar"),
    [
        ("natalizumab", "tysabri", False),
        ("natalizumab", "tyruko", True),
        ("adalimumab", "humira", False),
        ("adalimumab", "amgevita", True),
        ("immunoglobulin", "privigen", False),
    ],
)
def test_biosimilars_are_marked(
    dictionary: DrugDictionary, drug: str, product: str, biosimilar: bool
) -> None:
    flags = {p.key: p.biosimilar for p in dictionary.drug(drug).products}
    assert flags[product] is biosimilar


def test_an_unknown_key_is_an_error(dictionary: DrugDictionary) -> None:
    with pytest.raises(KeyError):
        dictionary.drug("nosuchdrug")


def test_every_code_is_whole_and_says_where_it_was_found(dictionary: DrugDictionary) -> None:
    assert len(dictionary.codes) > 200
    for code, coded in dictionary.codes.items():
        assert read_code(code) == code
        assert coded.provenance.startswith("github ")
        assert coded.level in ("VMP", "concept")


def test_a_codes_own_term_is_recognised_as_the_drug_it_is_filed_under(
    dictionary: DrugDictionary,
) -> None:
    for coded in dictionary.codes.values():
        term = coded.term.replace("(substance)", "")
        assert dictionary.recognise(None, term, None).drug == coded.drug, coded.term


def test_every_brand_is_recognised_as_its_product(dictionary: DrugDictionary) -> None:
    for drug in dictionary.drugs.values():
        for product in drug.products:
            found = dictionary.recognise(None, product.name, None)
            assert (found.drug, found.product) == (drug.key, product.key)


def test_every_drugs_name_is_recognised_as_itself(dictionary: DrugDictionary) -> None:
    unnamed = {
        # Recognised by brand or by other words only.
        "dexamethasone-intravitreal",
        "igm-enriched-immunoglobulin",
    }
    for drug in dictionary.drugs.values():
        if drug.key not in unnamed:
            assert dictionary.recognise(None, drug.name, None).drug == drug.key, drug.name


def test_no_two_synonyms_are_the_same_words(dictionary: DrugDictionary) -> None:
    rows = read_rows(
        "synonyms.csv",
        ("synonym", "match", "unless", "drug", "product", "from", "to", "reviewed_on", "basis"),
    )
    seen = [(row.text("synonym"), row.text("match")) for row in rows]
    assert len(seen) == len(set(seen))
    assert all(row.day("reviewed_on") for row in rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,c\n1,2\n", "header"),
        ("a,b\n1\n", "1 cells, not 2"),
        ("a,b\n1,2,3\n", "3 cells, not 2"),
        ("", "header"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(text: str, says: str) -> None:
    with pytest.raises(ReferenceDataFault, match=says):
        parse_rows(text, "x.csv", ("a", "b"))


@pytest.mark.parametrize(
    ("cell", "read", "says"),
    [("", "required", "empty"), ("1/4/2026", "day", "not a date"), ("yes", "flag", "true nor")],
)
def test_a_bad_cell_is_refused_with_file_and_row(cell: str, read: str, says: str) -> None:
    (row,) = parse_rows(f'# note\na\n"{cell}"\n', "x.csv", ("a",))
    with pytest.raises(ReferenceDataFault, match=f"x.csv, data row 1: .*{says}"):
        getattr(row, read)("a")
