"""What a laptop may lack: an engine's extra, Java."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def need(package):
    """Skip on a laptop without the engine's extra or Java; in CI its absence is a failure."""
    missing = None if importlib.util.find_spec(package) else f"the extra of {package}"
    if package == "pyspark" and shutil.which("java") is None:
        missing = "Java 17 or later"
    if missing and os.environ.get("CI"):
        pytest.fail(f"{missing} is needed in CI")
    if missing:
        pytest.skip(f"needs {missing}")
