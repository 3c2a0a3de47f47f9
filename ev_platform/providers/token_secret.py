"""The token store in AWS Secrets Manager: one secret, a JSON object of all providers' tokens.

Each save is a new version of the whole secret, so a reader sees the old or the new one. Secrets Manager has no lock: on
one machine a file lock lets one process refresh at a time; between machines it is the pool of the provider's asset,
which runs once at a time (docker/dagster.yaml, pools), and `ev providers login` while no poll runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ev_platform.errors import UserError


class TokenSecret:
    """Tokens of all providers in the secret `name`; made by the first save if it does not exist."""

    def __init__(self, name: str, exclusive: Callable[[str], AbstractContextManager[None]]) -> None:
        """`exclusive`: the lock of this machine."""
        import boto3  # at first use: a deployment without Secrets Manager does not need it

        self._name, self._exclusive = name, exclusive
        self._client = boto3.client("secretsmanager")

    def load(self, name: str) -> dict[str, Any]:
        """What was saved last; empty when nothing was.

        Raises:
            UserError: the secret cannot be read, or is no JSON object; the message never has its content.
        """
        found = self._all().get(name, {})
        return dict(found) if isinstance(found, dict) else {}

    def save(self, name: str, value: Mapping[str, Any]) -> None:
        """Durable when it returns: Secrets Manager has answered.

        Raises:
            UserError: it refuses.
        """
        with self._exclusive("write"):
            text = json.dumps({**self._all(), name: dict(value)}, sort_keys=True)
            with self._errors("written"):
                try:
                    self._client.put_secret_value(SecretId=self._name, SecretString=text)
                except self._client.exceptions.ResourceNotFoundException:
                    self._client.create_secret(Name=self._name, SecretString=text)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the right to refresh the tokens of one provider on this machine."""
        with self._exclusive(name):
            yield

    def _all(self) -> dict[str, Any]:
        with self._errors("read"):
            try:
                text = self._client.get_secret_value(SecretId=self._name)["SecretString"]
            except self._client.exceptions.ResourceNotFoundException:
                return {}
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UserError(f"secret {self._name} is no JSON object: restore an earlier version, or delete it")
        return found

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"].get("Code", "refused")
            raise UserError(f"secret {self._name} cannot be {what}: {code}") from None
        except BotoCoreError as error:
            raise UserError(f"secret {self._name} cannot be {what}: {type(error).__name__}") from None
