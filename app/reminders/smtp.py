"""One message to the mail server, by SMTP (RFC 5321), over TLS wherever it is not this machine.

What the server says is never repeated: it may name the address. Credentials are never told.
"""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Literal

from app.reminders.errors import AddressRefused, MailNotTaken
from app.reminders.model import Message

SECONDS: Final = 15.0
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where messages go and how. Without a user none is named."""

    host: str
    port: int
    security: Security
    sender: str
    own_name: str  # as we greet the server
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

    def send(self, message: Message) -> None:
        """Hand a message over; when this returns, the server has answered for it.

        Raises AddressRefused where it never will take one for this address, and MailNotTaken
        where it did not, or we do not know, and it may be tried again.
        """
        try:
            with self._connected() as server:
                self._secure(server)
                server.send_message(written(message, self.sender), self.sender, [message.address])
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            if all(500 <= code < 600 for code in codes):
                raise AddressRefused("The mail server refused the address.") from None
            raise MailNotTaken("the address is not taken now") from None
        except smtplib.SMTPResponseException as error:
            raise MailNotTaken(f"{type(error).__name__}, {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailNotTaken(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host,
                self.port,
                local_hostname=self.own_name,
                timeout=SECONDS,
                context=self._context(),
            )
        return smtplib.SMTP(self.host, self.port, local_hostname=self.own_name, timeout=SECONDS)

    def _secure(self, server: smtplib.SMTP) -> None:
        """Nothing is said in clear where TLS was asked for and is not offered."""
        if self.security == "starttls":
            server.starttls(context=self._context())
        if self.user:
            server.login(self.user, self.password)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def written(message: Message, sender: str) -> EmailMessage:
    """The message as it is sent. A repeat has the same Message-ID."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = message.address
    made["Subject"] = message.subject
    made["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    made.set_content(message.body)
    return made
