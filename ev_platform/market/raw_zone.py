"""The raw zone: sales files as received, filed by the day they were published, with version and checksum.

Belongs here: keys, manifests, "unchanged, so skipped". Not here: how a file is fetched (kaggle.py) or read (refine.py).
The day is the publisher's, not the download's, so the same file is filed under the same key whenever it is fetched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.market.kaggle import Credentials, Kaggle
from ev_platform.settings import Settings

ZONE = "market/raw"
_KEY = re.compile(rf"{ZONE}/(?P<day>\d{{4}}-\d{{2}}-\d{{2}})/(?P<name>[^/]+)\.csv")
_VERSION = re.compile(r"-v(?P<version>\d+)-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Snapshot:
    """One raw file: `stored` is false when the lake had it already."""

    key: str
    day: str
    version: int
    sha256: str
    size_bytes: int
    source: str
    licence: str = ""
    stored: bool = True


def raw_key(day: str, name: str, version: int, sha256: str) -> str:
    """`market/raw/2024-02-01/car_prices-v1-0123456789ab.csv`: the same name always means the same bytes."""
    return f"{ZONE}/{day}/{re.sub(r'[^A-Za-z0-9_.]', '_', name)}-v{version}-{sha256[:12]}.csv"


def snapshots(store: ObjectStore) -> list[str]:
    """Keys of all raw files, oldest first: by day, then version, then name. Files that others put there count too."""
    found = [(match["day"], _version(match["name"]), key) for key in store.keys(ZONE) if (match := _KEY.fullmatch(key))]
    return [key for *_, key in sorted(found)]


def _version(name: str) -> int:
    match = _VERSION.search(name)
    return int(match["version"]) if match else 0


def newest(store: ObjectStore) -> str:
    """Key of the newest raw file.

    Raises:
        UserError: there is none.
    """
    keys = snapshots(store)
    if not keys:
        raise UserError(
            "there is no sales file in market/raw yet: materialize market/raw, or `ev market run --csv FILE`"
        )
    return keys[-1]


def take(settings: Settings, store: ObjectStore) -> Snapshot:
    """Fetch the newest file from where the settings say, and file it unless the lake has it.

    Raises:
        UserError: no source is set, or it cannot be read; the message says what to do.
    """
    if settings.market_csv:
        return take_csv(store, Path(settings.market_csv).expanduser())
    credentials = Credentials.find(
        settings.kaggle_api_token.get_secret_value(),
        settings.kaggle_username,
        settings.kaggle_key.get_secret_value(),
    )
    kaggle = Kaggle(settings.kaggle_url, settings.market_dataset, credentials)
    return _take_kaggle(store, kaggle, settings.market_dataset, settings.market_file)


def take_csv(store: ObjectStore, file: Path) -> Snapshot:
    """File a local copy, under the day on which it was last written (UTC).

    Raises:
        UserError: it cannot be read.
    """
    try:
        data, written = file.read_bytes(), file.stat().st_mtime
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): check --csv or EV_MARKET_CSV") from None
    sha = hashlib.sha256(data).hexdigest()
    same = [key for key in snapshots(store) if f"-v0-{sha[:12]}." in key]
    if same:  # a copy of a copy has another day, and is the same file
        return Snapshot(same[0], same[0].split("/")[2], 0, sha, len(data), file.name, stored=False)
    day = datetime.fromtimestamp(written, UTC).date().isoformat()
    snapshot = Snapshot(raw_key(day, file.stem, 0, sha), day, 0, sha, len(data), file.name)
    _file(store, snapshot, data)
    return snapshot


def _take_kaggle(store: ObjectStore, kaggle: Kaggle, dataset: str, file: str) -> Snapshot:
    version = kaggle.version()
    known = next((made for made in manifests(store) if (made.source, made.version) == (dataset, version.number)), None)
    if known is not None and version.number and store.exists(known.key):
        return Snapshot(**{**asdict(known), "stored": False})
    with TemporaryDirectory(prefix="ev_market_") as folder:
        data = kaggle.download(file, version.number, Path(folder)).read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    same = next((made for made in manifests(store) if made.sha256 == sha), None)
    if same is not None and store.exists(same.key):  # a new version of the description, with the same file
        return Snapshot(**{**asdict(same), "stored": False})
    key = raw_key(version.updated, Path(file).stem, version.number, sha)
    snapshot = Snapshot(key, version.updated, version.number, sha, len(data), dataset, version.licence)
    _file(store, snapshot, data)
    return snapshot


def manifests(store: ObjectStore) -> Iterator[Snapshot]:
    """What was recorded about each raw file that this module filed."""
    for _, data in store.get_many([key for key in store.keys(ZONE) if key.endswith(".manifest.json")]):
        if data is not None:
            yield Snapshot(**json.loads(data))


def _file(store: ObjectStore, snapshot: Snapshot, data: bytes) -> None:
    """The file first, then its manifest: a manifest without its file would make the next fetch skip it."""
    store.put(snapshot.key, data)
    manifest = json.dumps(asdict(snapshot), sort_keys=True, indent=1).encode()
    store.put(f"{snapshot.key.removesuffix('.csv')}.manifest.json", manifest)
