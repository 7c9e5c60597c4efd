"""An SMTP server for the tests: aiosmtpd, with TLS from a private CA made at the start, and a login.

Usage: smtpd.py FOLDER none|starttls|implicit valid|wrong-name|expired
Login: SMTPD_USER and SMTPD_PASSWORD in the environment; without them nobody can log in, and nobody has to.

Writes to FOLDER: ca.pem, then port (the server accepts connections from then on), and for each mail N.eml (as received) and
N.json (envelope and login), in this order.
"""

import asyncio
import datetime
import ipaddress
import json
import os
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


def certificate(name, key, issuer_name, issuer_key, start, days, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + days * DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def tls_context(folder, kind):
    now = datetime.datetime.now(datetime.timezone.utc)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(
        "Test CA", ca_key, "Test CA", ca_key, now - DAY, 2, [(x509.BasicConstraints(ca=True, path_length=0), True)]
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if kind == "wrong-name":
        names = [x509.DNSName("mail.example.org")]
    start = now - 10 * DAY if kind == "expired" else now - DAY
    own = certificate(
        "server", key, "Test CA", ca_key, start, 2, [(x509.SubjectAlternativeName(names), False)]
    )
    (folder / "ca.pem").write_bytes(pem(authority))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem(own) + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


class Keep:
    """Keeps every mail as two files."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        (self.folder / f"{self.count}.eml").write_bytes(envelope.original_content)
        login = session.auth_data
        facts = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": [login.login.decode(), login.password.decode()] if login else None,
        }
        unfinished = self.folder / "unfinished"
        unfinished.write_text(json.dumps(facts))
        unfinished.rename(self.folder / f"{self.count}.json")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    expected = LoginPassword(os.environ["SMTPD_USER"].encode(), os.environ["SMTPD_PASSWORD"].encode())
    return AuthResult(success=data == expected, auth_data=data, handled=False)


async def main(folder, tls, kind):
    context = tls_context(folder, kind)
    keep = Keep(folder)
    login = "SMTPD_USER" in os.environ

    def session():
        return SMTP(
            keep,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=authenticate if login else None,
            auth_required=login,
            auth_require_tls=tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if tls == "implicit" else None)
    unfinished = folder / "unfinished"
    unfinished.write_text(str(server.sockets[0].getsockname()[1]))
    unfinished.rename(folder / "port")
    await server.serve_forever()


asyncio.run(main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
