"""Logs as JSON lines on stderr. No line ever holds patient data, a token or a called address."""

import logging
import sys

import structlog


class StderrLines:
    """Writes each line, whole, to whatever stderr is at that moment."""

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = msg


def configure_logs(level: str) -> None:
    """Write lines of this level (debug, info, warning, error) and above."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=max(number, logging.INFO))
    # Libraries' own lines may quote statements and addresses; only their warnings are kept.
    for noisy in ("sqlalchemy", "uvicorn", "httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: StderrLines(),
        cache_logger_on_first_use=True,
    )
