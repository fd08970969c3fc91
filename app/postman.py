"""The worker's post: it writes the day's digests into the outbox, and sends what waits there."""

import datetime as dt
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import structlog

from app.door import Door
from app.reminders import outbox, writing
from app.reminders.errors import AddressRefused, MailNotTaken
from app.reminders.model import Message
from app.reminders.smtp import MailServer
from app.settings import Settings
from app.work import Chore

log = structlog.stdlib.get_logger("assent.post")

WRITE_EVERY: Final = dt.timedelta(minutes=10)
SEND_EVERY: Final = dt.timedelta(minutes=1)
#: At most so many at one turn, so that jobs do not wait for long.
MOST: Final = 20
#: Told of each message: sent, again (it is tried again), refused, or given up.
Told = Callable[[str], None]


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the settings; None where none is set, and no reminder goes out."""
    if not settings.smtp_host:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.mail_from,
        own_name=urlsplit(settings.public_url).hostname or "localhost",
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        ca_file=settings.smtp_ca_file,
    )


def posting(settings: Settings, told: Told = lambda _: None) -> list[Chore]:
    """The chores of the post; none where no mail server is set."""
    server = mail_server(settings)
    if server is None:
        return []
    return [writing_digests(settings), sending(server, told)]


def writing_digests(settings: Settings) -> Chore:
    """Write the digests of today that are not written yet, each organisation in its own scope."""
    home, page = settings.address("/"), settings.address("/reminders")

    def write(door: Door, organisation: str) -> int:
        return door.acting_for(organisation).transact(
            lambda work: writing.write_digests(work, organisation, home, page)
        )

    def do(door: Door) -> None:
        written = sum(write(door, each) for each in door.read(writing.organisations))
        old = door.transact(outbox.forget_old)
        if written or old:
            log.info("reminders written", messages=written, forgotten=old)

    return Chore("write reminders", WRITE_EVERY, do)


def sending(server: MailServer, told: Told) -> Chore:
    """Send what waits. A server that takes nothing is left alone until the next turn."""

    def do(door: Door) -> None:
        for _ in range(MOST):
            message = door.transact(outbox.take)
            if message is None:
                return
            how = _deal_with(door, server, message)
            told(how)
            if how == "again":
                return

    return Chore("send reminders", SEND_EVERY, do)


def _deal_with(door: Door, server: MailServer, message: Message) -> str:
    """Send one message and mark it; returns how it went, as `Told` takes it."""
    if message.day < door.moment().day:  # today has a digest of its own
        door.transact(lambda work: outbox.give_up(work, message))
        log.warning("reminder given up", message=message.id, attempts=message.attempts)
        return "given up"
    try:
        server.send(message)
    except AddressRefused:
        door.transact(lambda work: outbox.refused(work, message))
        log.warning("address of a reminder refused", message=message.id)
        return "refused"
    except MailNotTaken as error:
        door.transact(lambda work: outbox.not_taken(work, message))
        log.warning("reminder not taken", message=message.id, why=str(error))
        return "again"
    door.transact(lambda work: outbox.sent(work, message))
    return "sent"
