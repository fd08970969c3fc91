"""The fuzz run of the service: that its checks can fail, and that a round repeats from its seed."""

import random
import signal
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis.python import asgi

from app.api import callers
from app.auth.model import Role
from tests.functional.approvals.api import initiation
from tests.fuzz import __main__ as run
from tests.fuzz.building import build
from tests.fuzz.calls import Call, Operation, spoilt_json
from tests.fuzz.grounds import OnSqlite
from tests.fuzz.judge import Marks, _as_it_should
from tests.fuzz.never import NEVER, RARE
from tests.fuzz.of_two import of_two
from tests.fuzz.rounds import PUBLIC_KEY, Fuzz
from tests.fuzz.stage import SEATS, WORD
from tests.policies.library import packaged_library

pytestmark = pytest.mark.long

FOUND = '{"nhs_number": "999 000 0107", "local_id": "HA001101", "id": "%s"}'
OWN = "00000000-0000-4000-8000-000000000007"
MARKS = Marks({"9990000107": "A", "HA001101": "A"}, {OWN: "A"})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "base"
    build(OnSqlite(), folder, of_two(packaged_library()), PUBLIC_KEY)
    return folder


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def fuzz(base: Path, told: list[str]) -> Iterator[Fuzz]:
    """A run of a few operations, three calls of each."""
    made = Fuzz(of_two(packaged_library()), base, OnSqlite(), 3, 3, told.append, drawn=2)
    made.learn()
    names = {"GET /v1/requests/{id}", "POST /v1/searches", "POST /v1/requests/{id}/withdraw"}
    made.operations = [each for each in made.operations if each.label in names]
    return made


def test_a_round_repeats_from_its_seed(fuzz: Fuzz, told: list[str]) -> None:
    first, again = fuzz.round(0), fuzz.round(0)

    assert told == []
    assert first.calls.total() == 9
    assert (first.classes, first.succeeded) == (again.classes, again.succeeded)
    assert first.classes != fuzz.round(4).classes or first.kinds != fuzz.round(5).kinds


def test_what_is_learnt_leaves_no_thread_that_a_forked_round_would_wait_for(
    fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rounds at a time (`--jobs 2`) waited for ever: the client's thread stayed behind."""
    monkeypatch.setattr(asgi, "_PORTAL", None)
    fuzz.learn()
    assert asgi._PORTAL is None


def test_a_service_that_shows_everybody_everything_is_caught(
    fuzz: Fuzz, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here each caller is the first hospital's own clinician, whoever they are."""
    known, tokens = callers.find_caller, {seat.token for seat in SEATS}
    monkeypatch.setattr(
        callers,
        "find_caller",
        lambda work, token, **more: known(
            work, SEATS[0].token if token in tokens else token, **more
        ),
    )
    fuzz.share = 12

    fuzz.round(0)

    assert "another organisation's object was reached" in "\n".join(told)
    assert "is told" in "\n".join(told)


def test_a_round_that_leaves_half_a_thing_is_caught(
    fuzz: Fuzz, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.fuzz.invariants.HALF", {"a request": "SELECT id FROM request LIMIT 1"}
    )

    fuzz.round(0)

    assert any("after round 0" in each and "a request: " in each for each in told)


@pytest.mark.parametrize(
    ("text", "family", "sent", "leaked"),
    [
        (FOUND % OWN, "A", "", []),
        (FOUND % OWN, "B", "", [OWN, "9990000107", "HA001101"]),
        (FOUND % OWN, "B", '{"nhs_number": "999-000-0107"}', [OWN, "HA001101"]),
        (f"{WORD['A']} was seen", "B", "", [WORD["A"]]),
        ("19990000107", "B", "", []),
    ],
    ids=["one's own", "another's", "what was sent", "a name", "a longer number"],
)
def test_what_tells_of_the_other_familys_patient_is_found(
    text: str, family: str, sent: str, leaked: list[str]
) -> None:
    assert MARKS.leaked(text, family, sent) == sorted(leaked)


MALFORMED = '{"code": "not-as-described", "errors": [{"message": "is missing"}]}'


@pytest.mark.parametrize(
    ("sound", "foreign", "barred", "status", "text", "wrong"),
    [
        (True, False, False, 200, "", False),
        (True, False, False, 409, "", False),
        (True, False, False, 400, "", True),
        (True, False, False, 422, MALFORMED, True),
        (False, False, False, 422, MALFORMED, False),
        (False, False, False, 200, "", True),
        (True, True, False, 404, "", False),
        (True, True, False, 200, "", True),
        (True, True, False, 409, "", True),
        (True, False, True, 403, "", False),
        (True, False, True, 200, "", True),
        (True, False, True, 409, "", True),
    ],
)
def test_a_status_is_held_against_who_called_about_what(
    fuzz: Fuzz, sound: bool, foreign: bool, barred: bool, status: int, text: str, wrong: bool
) -> None:
    operation = fuzz.operations[0]
    call = Call(operation.raw.Case(), SEATS[0], sound, foreign, barred, "")

    assert bool(_as_it_should(operation, call, status, text, False)) is wrong


class Dropped:
    """When it goes, something is called back."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_run_that_is_told_to_stop_in_a_weakrefs_callback_stops(
    fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops what the signal's handler raises there."""
    calls: list[Operation] = []

    def stopped(operation: Operation, *_: object) -> None:
        calls.append(operation)
        dropped = Dropped()
        callback = weakref.ref(dropped, lambda _: signal.raise_signal(signal.SIGTERM))
        del dropped
        assert callback() is None

    monkeypatch.setattr("tests.fuzz.rounds.judged", stopped)
    monkeypatch.setattr(run, "_ASKED", [])
    fuzz.go_on = run._go_on
    before = signal.signal(signal.SIGTERM, run._stop)
    try:
        with pytest.raises(run._Stopped):
            fuzz.round(0)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert len(calls) == 1


def test_a_body_is_spoilt_in_one_place_and_the_good_one_stays() -> None:
    good = initiation()
    spoilt = [spoilt_json(random.Random(number), good) for number in range(50)]

    assert good == initiation()
    assert sum(each != good for each in spoilt) > 40


def test_the_description_tells_who_may_call(fuzz: Fuzz) -> None:
    roles = {each.label: each.roles for each in fuzz.operations}
    assert roles["POST /v1/requests/{id}/withdraw"] == {Role.CLINICIAN, Role.PHARMACIST}


def test_every_operation_succeeds_but_those_that_cannot(base: Path, told: list[str]) -> None:
    """A world in which a call cannot succeed proves nothing of what lies behind it."""
    whole = Fuzz(of_two(packaged_library()), base, OnSqlite(), 1, 5, told.append, drawn=0)
    whole.learn()

    never = {each.label for each in whole.operations}
    for turn in range(8):  # five calls of each in a round: a good one may meet what another ended
        totals = whole.round(turn)
        never -= {label for label in never if totals.succeeded[label]}
        if never <= {*NEVER, *RARE}:
            break

    assert told == []
    assert set(NEVER) <= never <= {*NEVER, *RARE}
