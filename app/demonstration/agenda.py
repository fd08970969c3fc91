"""Runs every story in the order of its days, so that what is stored reads as it happened."""

import datetime as dt
import heapq
from collections.abc import Callable, Sequence

from app.demonstration.answering import Story
from app.demonstration.clerk import Clerk, Refused, at

SATURDAY = 5


def run(
    clerk: Clerk,
    stories: Sequence[Story],
    until: dt.date,
    progress: Callable[[float], None],
) -> None:
    """Take every step that falls on a day up to `until`; later ones have not happened yet.

    A step that the service refuses ends its story; `clerk.refusals` tells of each. `progress` is
    told the share that is done, 0 to 1.
    """
    start = clerk.work
    waiting: list[tuple[dt.date, int]] = []
    for number, story in enumerate(stories):
        _ask(waiting, number, story, dt.date.min)
    begins = waiting[0][0] if waiting else until
    today, minute = begins, 0
    while waiting:
        day, number = heapq.heappop(waiting)
        day = max(_working_day(day), today)
        if day > until:
            continue
        minute = minute + 1 if day == today else 0
        today = day
        clerk.work = at(start, day, minute)
        _ask(waiting, number, stories[number], day)
        progress((today - begins).days / max(1, (until - begins).days))
    clerk.work = start


def _ask(waiting: list[tuple[dt.date, int]], number: int, story: Story, today: dt.date) -> None:
    """Let a story act today and note the day on which it has to act next."""
    try:
        upcoming = next(story, None)
    except Refused:
        return
    if upcoming is not None:
        heapq.heappush(waiting, (max(upcoming, today), number))


def _working_day(day: dt.date) -> dt.date:
    """The day, or the Monday after it."""
    return day + dt.timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= SATURDAY else day
