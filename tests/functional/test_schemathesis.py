"""Schemathesis calls every operation as described, and not as described, with all its checks."""

from collections import Counter
from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source
from schemathesis.schemas import APIOperation

from app.api import callers
from app.approvals.library import Library
from app.commands.openapi import current_application
from app.db.transaction import Database
from app.db.work import Moment
from tests.fuzz.api import Served, bounded, hold, service
from tests.policies.library import packaged_library

EXAMPLES = 20  # for each operation; `python -m tests.fuzz` runs as many cases as it is told to

served = Served(current_application())
schema = schemathesis.openapi.from_asgi("/openapi.json", served, config=bounded(EXAMPLES))
operations = [result.ok() for result in schema.get_all_operations()]
feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))
told: Counter[str] = Counter()


@pytest.fixture(scope="module")
def library() -> Library:
    return packaged_library()


@pytest.fixture(autouse=True)
def _serve(
    sqlite_database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    """Serve with the packaged policies and one caller of the demonstration."""
    served.app = service(sqlite_database, library, moment, ids, random_bytes)


@pytest.mark.long
@pytest.mark.parametrize("operation", operations, ids=lambda each: each.label)
def test_every_operation_keeps_to_its_description(operation: APIOperation) -> None:
    """As `schema.parametrize()` makes it, which draws the cases of all operations to collect them.

    That takes 12 seconds of a processor in every process of the tests, whatever it then runs.
    """

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    def keeps_to_its_description(case: schemathesis.Case) -> None:
        hold(case, told)

    build_operation_test(
        config=schema.config,
        operation=operation,
        test_func=keeps_to_its_description,
        given_kwargs={},
        feedback=feedback,
    )()


def test_an_operation_that_takes_any_token_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of authorisation can fail: here every token is the clinician's."""
    known = callers.find_caller
    monkeypatch.setattr(
        callers,
        "find_caller",
        lambda work, _token, **more: known(work, "demo-clinician-token", **more),
    )
    operation = schema["/v1/policies"]["GET"]

    with pytest.raises(BaseException, match="accepts invalid authentication"):
        hold(operation.Case(), Counter())
