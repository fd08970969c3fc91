"""The drug dictionary: drugs, their products, and recognising them in lines."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from app.reference_data.clinical_code import read_code
from app.reference_data.data_files import Row, read_rows
from app.reference_data.errors import ReferenceDataFault
from app.reference_data.model import (
    AcceptedName,
    CodedDrug,
    Drug,
    Product,
    Recognition,
    Synonym,
)
from app.reference_data.presentation import FormTable, load_forms
from app.reference_data.recognition import Lexicon, build_lexicon, recognise
from app.reference_data.text import words_of

__all__ = ["AcceptedName", "Drug", "DrugDictionary", "Product", "Recognition", "load_drugs"]


@dataclass(frozen=True, slots=True)
class DrugDictionary:
    """Every drug known by name, with the tables that recognise them. Build with `load_drugs`."""

    drugs: Mapping[str, Drug]
    codes: Mapping[str, CodedDrug]
    lexicon: Lexicon
    forms: FormTable
    accepted: Mapping[tuple[str, ...], AcceptedName] = field(default_factory=dict)

    def drug(self, key: str) -> Drug:
        """The drug of this key; KeyError when there is none."""
        return self.drugs[key]

    def products_of(self, key: str) -> frozenset[str]:
        """The keys of a drug's products; none of a drug that is not known."""
        drug = self.drugs.get(key)
        return frozenset() if drug is None else frozenset(p.key for p in drug.products)

    def keys(self) -> Mapping[str, frozenset[str]]:
        """Drug key to the keys of its products."""
        return {
            key: frozenset(product.key for product in drug.products)
            for key, drug in self.drugs.items()
        }

    def recognise(self, code: str | None, name: str | None, on: dt.date | None) -> Recognition:
        """Which drug a line's code and name say on a day; no day looks at rows of all dates.

        A known, undamaged dm+d or SNOMED CT code decides unless the name says another drug; else
        the reviewed synonyms in the name decide, provided they name one drug only. A name that
        says none is looked for, as a whole, among those that people accepted.
        """
        found = recognise(self.lexicon, self.codes, self.forms, code, name, on)
        if found.drug is not None or found.conflict or found.candidates or not self.accepted:
            return found
        taken = self.accepted.get(words_of(name or ""))
        return found if taken is None else _as_accepted(found, taken)

    def changes(self) -> list[dt.date]:
        """The days from which a name may mean another thing than on the day before, in order."""
        return self.lexicon.changes()

    def accepting(self, accepted: Mapping[tuple[str, ...], AcceptedName]) -> "DrugDictionary":
        """The dictionary that also knows these names, each as a whole; unknown drugs are left out.

        A name accepted for a drug that this release no longer has decides nothing.
        """
        known = {w: taken for w, taken in accepted.items() if taken.drug in self.drugs}
        return replace(self, accepted=known)


def _as_accepted(found: Recognition, taken: AcceptedName) -> Recognition:
    return replace(
        found,
        drug=taken.drug,
        product=taken.product,
        how="accepted",
        suggestion=None,
        reason=f"the name was accepted as this drug's on {taken.accepted_on:%d/%m/%Y}",
    )


@lru_cache(maxsize=1)
def load_drugs() -> DrugDictionary:
    """The dictionary of the packaged files. Raises ReferenceDataFault where they are at odds."""
    products = _load_products()
    codes = _load_codes()
    drugs = _load_drugs(products, codes)
    noise = read_rows("noise_words.csv", ("word", "glue"))
    forms = load_forms()
    synonyms = _load_synonyms(drugs, products)
    for coded in codes.values():
        if coded.drug not in drugs:
            raise ReferenceDataFault(
                "codes.csv", None, f"unknown drug {coded.drug}", "Add it to drugs.csv"
            )
    return DrugDictionary(
        drugs=drugs,
        codes=codes,
        lexicon=build_lexicon(
            synonyms,
            noise=frozenset(row.required("word") for row in noise),
            glue=frozenset(row.required("word") for row in noise if row.flag("glue")),
        ),
        forms=forms,
    )


def _load_drugs(
    products: Mapping[str, Product], codes: Mapping[str, CodedDrug]
) -> Mapping[str, Drug]:
    drugs: dict[str, Drug] = {}
    for row in read_rows("drugs.csv", ("key", "name", "policy_family")):
        key = row.required("key")
        if key in drugs:
            raise row.fault(f"{key} is listed twice", "Keep one row")
        drugs[key] = Drug(
            key=key,
            name=row.required("name"),
            policy_family=row.required("policy_family"),
            snomed_codes=tuple(code for code, coded in codes.items() if coded.drug == key),
            products=tuple(product for product in products.values() if product.drug == key),
        )
    return drugs


def _load_products() -> Mapping[str, Product]:
    products: dict[str, Product] = {}
    for row in read_rows("products.csv", ("key", "name", "drug", "biosimilar", "from", "to")):
        key = row.required("key")
        if key in products:
            raise row.fault(f"{key} is listed twice", "Keep one row: a brand is of one drug")
        products[key] = Product(
            key=key,
            name=row.required("name"),
            drug=row.required("drug"),
            biosimilar=row.flag("biosimilar"),
            from_=row.day("from"),
            to=row.day("to"),
        )
    return products


_CODE_COLUMNS = ("code", "system", "term", "level", "drug", "product", "provenance", "caution")


def _load_codes() -> Mapping[str, CodedDrug]:
    codes: dict[str, CodedDrug] = {}
    for row in read_rows("codes.csv", _CODE_COLUMNS):
        code = row.required("code")
        if read_code(code) != code or code in codes:
            raise row.fault("the code is repeated or not well formed", "Check it at its source")
        codes[code] = CodedDrug(
            code=code,
            system=row.required("system"),
            term=row.required("term"),
            level=row.required("level"),
            drug=row.required("drug"),
            product=row.text("product") or None,
            provenance=row.required("provenance"),
            caution=row.text("caution"),
        )
    return codes


_SYNONYM_COLUMNS = (
    *("synonym", "match", "unless", "drug", "product"),
    *("from", "to", "reviewed_on", "basis"),
)


def _load_synonyms(
    drugs: Mapping[str, Drug], products: Mapping[str, Product]
) -> tuple[Synonym, ...]:
    groups: dict[str, set[str]] = {"": set()}
    for row in read_rows("word_groups.csv", ("group", "word")):
        groups.setdefault(row.required("group"), set()).add(row.required("word"))
    return tuple(
        _synonym(row, drugs, products, groups)
        for row in read_rows("synonyms.csv", _SYNONYM_COLUMNS)
    )


def _synonym(
    row: Row,
    drugs: Mapping[str, Drug],
    products: Mapping[str, Product],
    groups: Mapping[str, set[str]],
) -> Synonym:
    drug, product = row.required("drug"), row.text("product") or None
    listed = products.get(product) if product else None
    if drug not in drugs or (product and (listed is None or listed.drug != drug)):
        raise row.fault("the drug or product is not listed so", "Mend drugs.csv or products.csv")
    words = words_of(row.required("synonym"))
    if " ".join(words) != row.required("synonym"):
        raise row.fault("the synonym is not written as plain words", f"Write {' '.join(words)}")
    if row.text("match") not in ("phrase", "all words") or row.text("unless") not in groups:
        raise row.fault("match or unless is unknown", "Use phrase or all words, and a known group")
    reviewed_on = row.day("reviewed_on")
    if reviewed_on is None:
        raise row.fault("reviewed_on is empty", "Only reviewed synonyms decide")
    return Synonym(
        words=words,
        any_order=row.text("match") == "all words",
        unless=frozenset(groups[row.text("unless")]),
        drug=drug,
        product=product,
        from_=row.day("from"),
        to=row.day("to"),
        reviewed_on=reviewed_on,
        basis=row.required("basis"),
    )
