"""A fault planted on purpose: the harness must tell that it loses what was acknowledged."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from app.db.transaction import Database

HELD_SECONDS = 0.05


def reply_before_persisting() -> None:
    """Let every use case give its result before its transaction has committed."""
    committed = Database.transact

    def transact(self: Database, fn: Callable[[Any], Any], **given: Any) -> Any:
        results: queue.Queue[tuple[bool, Any]] = queue.Queue()

        def held(work: Any) -> Any:
            result = fn(work)
            results.put((True, result))
            time.sleep(HELD_SECONDS)
            return result

        def persist() -> None:
            try:
                committed(self, held, **given)
            except BaseException as error:
                results.put((False, error))

        threading.Thread(target=persist, daemon=True).start()
        succeeded, result = results.get()
        if not succeeded:
            raise result
        return result

    Database.transact = transact  # type: ignore[method-assign,assignment]


PLANTS = {"reply before persisting": reply_before_persisting}
