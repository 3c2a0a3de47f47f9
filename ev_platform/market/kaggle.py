"""Downloads from Kaggle's API with plain requests: version and file of a dataset, streamed to disk and checked.

Belongs here: credentials, addresses, errors, redirects, the zip. Not here: what is kept of a download (raw_zone.py).
The official client is not used: it signs in on import, prints, and ends the process when it has no key.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from urllib3.util.retry import Retry

from ev_platform.errors import UserError

TIMEOUT_SECONDS = (5, 60)
CHUNK_BYTES = 2**20
LONGEST_RETRY_AFTER_SECONDS = 60
"""A daily quota says "come back at midnight": that is an error to show, not a time to sleep."""

DATASET = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9-]+")

MESSAGES = {
    401: "the key was refused: renew KAGGLE_API_TOKEN (or KAGGLE_USERNAME and KAGGLE_KEY)",
    403: "no access: open the dataset's page once with this account and accept its terms",
    404: "there is no such dataset or file: check EV_MARKET_DATASET and EV_MARKET_FILE",
    429: "too many requests: try again later",
}
"""What an answer of Kaggle means for the user."""


@dataclass(frozen=True)
class Credentials:
    """A token (Bearer) or a user name with its key (Basic); never shown."""

    token: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @classmethod
    def find(cls, token: str, username: str, key: str) -> Credentials:
        """The first that is there: token (also the path of a file that holds it), then user name and key.

        Raises:
            UserError: there is neither.
        """
        if token:
            file = Path(token).expanduser()
            return cls(token=file.read_text().strip() if len(token) < 4096 and file.is_file() else token)
        if username and key:
            return cls(username=username, key=key)
        raise UserError(
            "Kaggle needs a key: set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, "
            "or give a local copy (EV_MARKET_CSV, or `ev market run --csv FILE`)"
        )

    def apply(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
            return request
        HTTPBasicAuth(self.username, self.key)(request)
        return request


class _Stripping(requests.Session):
    """A session that never sends the key to another host (or port, or scheme) than the one it was meant for."""

    def should_strip_auth(self, old_url: str, new_url: str) -> bool:
        old, new = (urlsplit(url) for url in (old_url, new_url))
        return (old.scheme, old.hostname, old.port) != (new.scheme, new.hostname, new.port)


@dataclass(frozen=True)
class Version:
    """What Kaggle says about a dataset: number of the version, day of its last update (UTC), licence."""

    number: int
    updated: str
    licence: str


class Kaggle:
    """A dataset on Kaggle: `version()` and `download()`."""

    def __init__(self, base_url: str, dataset: str, credentials: Credentials) -> None:
        if DATASET.fullmatch(dataset) is None:
            raise UserError(f"EV_MARKET_DATASET {dataset!r}: write owner/dataset")
        self._base, self._dataset = base_url.rstrip("/"), dataset
        self._session = _Stripping()
        self._session.trust_env = False  # a .netrc would add a key of its own on the host of the redirect
        self._session.proxies = requests.utils.get_environ_proxies(self._base)
        self._session.auth = credentials.apply
        retry = Retry(
            total=5,
            backoff_factor=0.5,
            status_forcelist=[429, 500, 502, 503, 504],
            allowed_methods={"GET"},
            respect_retry_after_header=True,
            retry_after_max=LONGEST_RETRY_AFTER_SECONDS,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def version(self) -> Version:
        """The newest version.

        Raises:
            UserError: no access, no such dataset, no answer.
        """
        answer: dict[str, Any] = self._get(f"datasets/view/{self._dataset}").json()
        found = {name.lower(): value for name, value in answer.items()}
        number = found.get("currentversionnumber") or found.get("versionnumber") or 0
        updated = str(found.get("lastupdated") or "")[:10]
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", updated) is None:
            raise UserError(f"Kaggle's answer about {self._dataset} has no day of its last update")
        return Version(int(number), updated, str(found.get("licensename") or found.get("licencename") or ""))

    def download(self, file: str, version: int, folder: Path) -> Path:
        """The file of one version, unpacked, in `folder`.

        Raises:
            UserError: no access, no such file, a broken archive, an answer that ends too early every time.
        """
        attempts = Retrying(
            retry=retry_if_exception_type((requests.ConnectionError, requests.exceptions.ChunkedEncodingError, _Short)),
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        try:
            body = attempts(self._fetch, file, version, folder)
        except (_Short, requests.RequestException) as error:
            raise UserError(f"the download of {self._dataset} broke off: {type(error).__name__}; try again") from None
        return self._unpacked(body, file, folder)

    def _fetch(self, file: str, version: int, folder: Path) -> Path:
        """Stream the answer to disk; urllib3 does not repeat an answer that breaks midway, the caller does."""
        path = f"datasets/download/{self._dataset}/{quote(file)}"
        params = {"datasetVersionNumber": str(version)} if version else {}
        with self._get(path, params=params, stream=True) as answer:
            with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as body:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    body.write(chunk)
            promised = answer.headers.get("Content-Length")
        got = os.path.getsize(body.name)
        if promised is not None and "Content-Encoding" not in answer.headers and got != int(promised):
            raise _Short(f"{got} of {promised} bytes")
        return Path(body.name)

    def _get(self, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - options of requests
        try:
            answer = self._session.get(f"{self._base}/api/v1/{path}", timeout=TIMEOUT_SECONDS, **options)
        except requests.exceptions.RetryError:
            raise UserError(f"Kaggle, {self._dataset}: {MESSAGES[429]}") from None
        except requests.ConnectionError:
            raise UserError(f"{self._base} does not answer: check the network and EV_KAGGLE_URL") from None
        if answer.status_code >= 400:
            said = MESSAGES.get(answer.status_code, f"it answered {answer.status_code}, try again later")
            raise UserError(f"Kaggle, {self._dataset}: {said}")
        return answer

    def _unpacked(self, body: Path, file: str, folder: Path) -> Path:
        """The file itself; Kaggle sends a zip of it, or the file as it is when it is small."""
        if not zipfile.is_zipfile(body):
            with body.open("rb") as opened:
                if opened.read(4) == b"PK\x03\x04":
                    raise UserError(f"the archive of {self._dataset} is damaged: try again")
            return body
        target = folder / Path(file).name
        try:
            with zipfile.ZipFile(body) as archive, target.open("wb") as out:
                for chunk in _member(archive, file):
                    out.write(chunk)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"the archive of {self._dataset} is damaged ({error}): try again") from None
        return target


class _Short(Exception):
    """Fewer bytes arrived than the answer promised."""


def _member(archive: zipfile.ZipFile, file: str) -> Iterator[bytes]:
    names = [name for name in archive.namelist() if Path(name).name == Path(file).name]
    if not names:
        raise UserError(f"the archive has no {file}, but {', '.join(archive.namelist()[:5])}: check EV_MARKET_FILE")
    with archive.open(names[0]) as member:  # its checksum is verified when the end is read
        while chunk := member.read(CHUNK_BYTES):
            yield chunk
