"""Where alerts go: the log always; Amazon SNS, a Slack webhook and e-mail when their setting is there.

Belongs here: delivery, one function per channel, one row of a table each. Not here: whether to send (ledger.py).
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import boto3
import requests

from ev_platform.settings import Settings

LOG = logging.getLogger("ev_platform.alerts")
TIMEOUT_SECONDS = 10.0
SNS_SUBJECT_MOST = 100
"""Longest subject that SNS takes, ASCII only."""


def deliver(settings: Settings, title: str, text: str) -> bool:
    """Send to every configured channel; False when channels are configured and none of them took it."""
    title, text = settings.masked(title), settings.masked(text)
    LOG.error("%s: %s", title, text)
    wanted = [channel for channel in CHANNELS if channel.configured(settings)]
    taken = [_try(channel, settings, title, text) for channel in wanted]
    return any(taken) or not wanted


def _try(channel: Channel, settings: Settings, title: str, text: str) -> bool:
    try:
        channel.send(settings, title, text)
    except Exception as error:  # an alert must never break what it tells about
        LOG.error("%s did not take the alert (%s): check %s", channel.name, type(error).__name__, channel.setting)
        return False
    return True


def _sns(settings: Settings, title: str, text: str) -> None:
    subject = title.encode("ascii", "replace").decode()[:SNS_SUBJECT_MOST]
    region = settings.sns_topic_arn.split(":")[3]
    client = boto3.client("sns", region_name=region)
    client.publish(TopicArn=settings.sns_topic_arn, Subject=subject, Message=f"{title}\n\n{text}")


def _slack(settings: Settings, title: str, text: str) -> None:
    answer = requests.post(settings.slack_webhook_url, json={"text": f"*{title}*\n{text}"}, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()


def _email(settings: Settings, title: str, text: str) -> None:
    """`smtp://user:password@host:587` speaks STARTTLS when the server offers it, `smtps://…:465` TLS from the start."""
    url = urlsplit(settings.smtp_url)
    message = EmailMessage()
    message["Subject"] = " ".join(title.split())
    message["From"] = settings.alert_email_from
    message["To"] = ", ".join(settings.alert_email_to)
    message.set_content(text)
    client = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with client(url.hostname or "", url.port or 0, timeout=TIMEOUT_SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


class Channel(NamedTuple):
    """One way out: its name, the setting that opens it, and how it sends."""

    name: str
    setting: str
    configured: Callable[[Settings], bool]
    send: Callable[[Settings, str, str], None]


CHANNELS = (
    Channel("SNS", "EV_SNS_TOPIC_ARN", lambda s: bool(s.sns_topic_arn), _sns),
    Channel("Slack", "EV_SLACK_WEBHOOK_URL", lambda s: bool(s.slack_webhook_url), _slack),
    Channel("e-mail", "EV_SMTP_URL", lambda s: bool(s.smtp_url and s.alert_email_to), _email),
)
