"""Settings by reference: `aws-ssm:/path` and `aws-secret:name#key` stand for a value that AWS keeps.

Belongs here: what a reference looks like, and fetching it, once per process. Not here: which settings may be one
(settings.py: those that are never shown). A value is never part of an error; the name of the reference is.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

SSM, SECRET = "aws-ssm:", "aws-secret:"


class UnresolvedError(ValueError):
    """A reference that cannot be resolved; the message has its name and the reason, never a value."""


def is_reference(value: object) -> bool:
    """Whether a setting is a reference."""
    return isinstance(value, str) and value.startswith((SSM, SECRET))


@cache
def resolve(reference: str) -> str:
    """The value that a reference stands for, fetched once per process.

    Args:
        reference: `aws-ssm:NAME` (a parameter, decrypted), `aws-secret:NAME` (a secret's text) or `aws-secret:NAME#KEY`
            (a field of a secret that is a JSON object). Region, endpoint and credentials are the usual AWS_*.

    Raises:
        UnresolvedError: no such parameter, secret or key, no permission, or AWS cannot be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # at first use: most deployments have no reference

    try:
        return _parameter(reference) if reference.startswith(SSM) else _secret(reference)
    except ClientError as error:
        reason = error.response["Error"].get("Code", "refused")
    except BotoCoreError as error:
        reason = type(error).__name__
    raise UnresolvedError(f"{reference}: {reason}")


def _parameter(reference: str) -> str:
    import boto3

    answer = boto3.client("ssm").get_parameter(Name=reference.removeprefix(SSM), WithDecryption=True)
    return str(answer["Parameter"]["Value"])


def _secret(reference: str) -> str:
    import boto3

    name, _, key = reference.removeprefix(SECRET).partition("#")
    text = boto3.client("secretsmanager").get_secret_value(SecretId=name).get("SecretString")
    if text is None:
        raise UnresolvedError(f"{reference}: the secret is binary")
    if not key:
        return str(text)
    try:
        found: Any = json.loads(text)
    except ValueError:
        raise UnresolvedError(f"{reference}: the secret is not a JSON object") from None
    if not isinstance(found, dict) or key not in found:
        raise UnresolvedError(f"{reference}: the secret has no key {key!r}")
    return str(found[key])
