"""Every exception that a room can raise has its place in the table of problems."""

import inspect

import pytest
from sqlalchemy.exc import OperationalError

from app import problems
from app.approvals import errors as approvals_errors
from app.auth import errors as auth_errors

#: Faults of ours, not refusals: a door shows them as a 500.
FAULTS = {"StoredDecisionDiffers"}
BASES = {"ApprovalsError", "AuthError"}


def refusals() -> list[type[Exception]]:
    return [
        cls
        for module in (approvals_errors, auth_errors)
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Exception)
        and cls.__module__ == module.__name__
        and name not in FAULTS | BASES
    ]


@pytest.mark.parametrize("cls", refusals())
def test_every_refusal_of_a_room_is_in_the_table(cls: type[Exception]) -> None:
    assert cls in problems.TABLE


def test_one_code_never_means_two_things() -> None:
    kinds = {*problems.TABLE.values(), *problems.BY_STATUS.values(), problems.MALFORMED_JSON}
    by_code: dict[str, problems.Kind] = {}
    for kind in kinds:
        assert by_code.setdefault(kind.code, kind) == kind


@pytest.mark.parametrize("kind", sorted({*problems.TABLE.values()}, key=lambda k: k.code))
def test_a_refusal_is_a_client_status_and_its_code_can_stand_in_a_urn(kind: problems.Kind) -> None:
    # A stored policy text that has been tampered with is no caller's fault.
    assert 400 <= kind.status < 500 or kind == problems.Kind(503, "policy-not-usable", kind.title)
    assert kind.code == kind.code.lower()
    assert kind.code.replace("-", "").isalpha()


def test_an_exception_that_the_table_does_not_know_tells_nothing() -> None:
    error = KeyError("999 000 0000")

    assert problems.kind_of(error).status == 500
    assert "999" not in problems.detail_of(error)


def test_a_database_that_fails_tells_nothing_of_its_message() -> None:
    error = OperationalError("SELECT secret", {"nhs_number": "9990000000"}, Exception("detail"))

    assert problems.kind_of(error).status == 503
    assert "secret" not in problems.detail_of(error)
    assert problems.headers_of(error) == {"Retry-After": "5"}


def test_a_special_exception_is_found_by_its_general_one() -> None:
    class MoreSpecial(auth_errors.NotSignedIn):
        pass

    assert problems.kind_of(MoreSpecial()) is problems.NOT_SIGNED_IN


def test_faulty_answers_are_listed_one_by_one() -> None:
    from app.policy import AnswerFault

    faults = (AnswerFault("edss", "is out of range", "Send 0 to 10"),)
    error = approvals_errors.AnswersNotAccepted(faults)

    assert problems.faults_of(error) == (
        problems.Fault("answers.edss", "is out of range", "Send 0 to 10"),
    )
