"""A mail server on loopback that keeps what it takes: SMTP with STARTTLS and a login, for tests."""

import base64
import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "assent", "the password of the mail server"


@dataclass
class MailCatcher:
    """What the server has taken, what was said to it, and how it is to behave."""

    port: int = 0
    ca_file: Path = Path()
    taken: list[EmailMessage] = field(default_factory=list)
    said: list[tuple[bool, str]] = field(default_factory=list)  # whether over TLS, and the line
    offers_tls: bool = True
    #: What it answers to RCPT TO and to the end of DATA.
    to_recipient: str = "250 OK"
    to_message: str = "250 OK"


@contextmanager
def catching(folder: Path) -> Iterator[MailCatcher]:
    """Serve on a free port of 127.0.0.1 while the block runs."""
    caught = MailCatcher(ca_file=folder / "ca.pem")
    _make_certificate(caught.ca_file, folder / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(caught.ca_file, folder / "key.pem")

    class Conversation(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _converse(self.request, context, caught)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", caught.port), Conversation) as server:
        caught.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield caught
        server.shutdown()
        thread.join()


def _converse(plain: Any, context: ssl.SSLContext, caught: MailCatcher) -> None:
    link, secure, known = plain, False, False
    lines: IO[bytes] = link.makefile("rb")

    def answer(text: str) -> None:
        link.sendall(f"{text}\r\n".encode())

    answer("220 catcher")
    while raw := lines.readline():
        line = raw.decode().rstrip("\r\n")
        caught.said.append((secure, line))
        verb = line[:4].upper()
        if verb == "EHLO":
            offers = ["250-catcher"]
            offers += ["250-STARTTLS"] if caught.offers_tls and not secure else []
            offers += ["250-AUTH PLAIN"] if secure else []
            answer("\r\n".join([*offers, "250 8BITMIME"]))
        elif verb == "STAR":
            answer("220 go on")
            try:
                link = context.wrap_socket(link, server_side=True)
            except OSError:
                return
            lines, secure = link.makefile("rb"), True
        elif verb == "AUTH":
            wanted = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
            known = line.rpartition(" ")[2] == wanted
            answer("235 known" if known else "535 not known")
        elif verb == "MAIL":
            answer("250 OK" if known else "530 log in first")
        elif verb == "RCPT":
            answer(caught.to_recipient)
        elif verb == "DATA":
            answer("354 go on")
            content = b"".join(iter(lines.readline, b".\r\n"))
            if caught.to_message.startswith("2"):
                found = message_from_bytes(content, policy=policy.default)
                assert isinstance(found, EmailMessage)
                caught.taken.append(found)
            answer(caught.to_message)
        elif verb == "QUIT":
            answer("221 bye")
            return
        else:
            answer("250 OK")


def _make_certificate(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
