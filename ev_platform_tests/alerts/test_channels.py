"""Every channel against a real server on loopback: SNS (moto), a webhook, SMTP. Secrets stay out of the log."""

import json
import logging
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ev_platform.alerts import channels
from ev_platform.settings import load_settings


@pytest.fixture
def webhook():
    """A webhook's address, what it was sent, and the status it answers with."""
    received, answer = [], {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer["status"])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/SECRET", received, answer
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox():
    """An SMTP server that takes every mail: its address, and the mails."""
    mails = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 mail\r\n")
            lines = []
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.decode())
                    mails.append("".join(lines))
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
                if word == b"QUIT":
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"smtp://127.0.0.1:{server.server_address[1]}", mails
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_title_and_text(webhook):
    url, received, _ = webhook
    assert channels.deliver(load_settings(slack_webhook_url=url), "Lag", "12 wait")
    assert received == [{"text": "*Lag*\n12 wait"}]


def test_a_mail_gets_subject_sender_and_everybody(mailbox):
    url, mails = mailbox
    settings = load_settings(smtp_url=url, alert_email_to="a@example.com, b@example.com")
    assert channels.deliver(settings, "Überlast\nBcc: evil@example.com", "12 wait")
    (mail,) = mails
    assert "To: a@example.com, b@example.com" in mail
    assert "12 wait" in mail
    headers = mail.split("\r\n\r\n")[0]
    assert not [line for line in headers.split("\r\n") if line.startswith("Bcc")]  # a title cannot add a header


def test_one_channel_that_fails_does_not_keep_the_others(webhook, mailbox, caplog):
    url, received, answer = webhook
    answer["status"] = 500
    smtp, mails = mailbox
    settings = load_settings(slack_webhook_url=url, smtp_url=smtp, alert_email_to="a@example.com")
    assert channels.deliver(settings, "Lag", "12 wait")
    assert len(received) == len(mails) == 1
    assert "Slack did not take the alert (HTTPError): check EV_SLACK_WEBHOOK_URL" in caplog.text


def test_a_failing_channel_shows_no_secret(caplog):
    settings = load_settings(
        slack_webhook_url="http://127.0.0.1:9/services/SECRET",
        smtp_url="smtp://user:SECRET@127.0.0.1:9",
        alert_email_to="a@example.com",
    )
    with caplog.at_level(logging.DEBUG, "ev_platform"):
        assert not channels.deliver(settings, "Lag", "12 wait on smtp://user:SECRET@127.0.0.1:9")
    assert caplog.text.count("did not take the alert") == 2
    own = [record for record in caplog.records if record.name.startswith("ev_platform")]
    assert not [record for record in own if "SECRET" in record.getMessage()]
    assert "SECRET" not in repr(settings)


def test_without_channels_the_log_is_enough(caplog):
    assert channels.deliver(load_settings(), "Lag", "12 wait")
    assert "Lag: 12 wait" in caplog.text
