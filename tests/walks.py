"""How far the random walks of the lifecycle go: as in CI, or further when asked.

`make walks WALKS=300` draws other walks than CI's, so many of each machine. The seed stands in the
first line of the report, and a failure prints its steps and the blob that repeats them.
"""

import os

from hypothesis import HealthCheck, settings


def of_walks(usual: int, steps: int) -> settings:
    """Settings for `usual` walks of `steps` steps, or for as many walks as `ASSENT_WALKS` says."""
    return settings(
        max_examples=int(os.environ.get("ASSENT_WALKS") or usual),
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
