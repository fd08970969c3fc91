"""Pseudonyms are keyed: by organisation, by kind of identifier, and by the service's secret."""

from app.reference_data.pseudonyms import PSEUDONYM, PseudonymKey, Pseudonyms


def key(organisation: str = "DEMQ1", secret: bytes = b"s" * 32) -> PseudonymKey:
    found = Pseudonyms(secret).key_of(organisation)
    assert found is not None
    return found


def test_the_same_patient_has_one_pseudonym_for_one_organisation() -> None:
    assert key().of_nhs_number("9990000018") == key().of_nhs_number("9990000018")
    assert PSEUDONYM.fullmatch(key().of_nhs_number("9990000018"))


def test_organisation_secret_kind_and_value_each_change_it() -> None:
    assert (
        len(
            {
                key().of_nhs_number("9990000018"),
                key("DEMQ2").of_nhs_number("9990000018"),
                key(secret=b"t" * 32).of_nhs_number("9990000018"),
                key().of_local_id("9990000018"),
                key().of_record("9990000018"),
                key().of_nhs_number("9990000026"),
            }
        )
        == 6
    )


def test_case_and_spaces_of_a_hospital_number_make_no_difference() -> None:
    assert key().of_local_id("h 00 1") == key().of_local_id("H001")


def test_without_a_secret_there_is_no_key() -> None:
    assert Pseudonyms().key_of("DEMQ1") is None


def test_a_key_never_shows_itself() -> None:
    assert "sss" not in repr(Pseudonyms(b"s" * 32)) + repr(key())


def test_many_numbers_are_compared_with_some_pseudonyms_as_one_by_one() -> None:
    held = key()
    numbers, local = ("9990000018", "9990000026"), ("H001", " h 00 1", "H002")
    is_number = held.nhs_number_among([held.of_nhs_number(numbers[0]), "no pseudonym"])
    is_local = held.local_id_among([held.of_local_id("H001")])
    assert [is_number(each) for each in numbers] == [True, False]
    assert [is_local(each) for each in local] == [True, True, False]
    assert not held.local_id_among([held.of_nhs_number("9990000018")])("9990000018")
    assert not key("DEMQ2").nhs_number_among([held.of_nhs_number(numbers[0])])(numbers[0])
