#!/bin/sh
# One universal lock per extra: versions, markers and hashes, no addresses. First all together, so that they agree.
set -eu
uv=$1
options="--universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate --quiet"
everything=$(mktemp)
trap 'rm -f "$everything"' EXIT
$uv pip compile $options pyproject.toml scripts/build.in --all-extras --output-file "$everything"
$uv pip compile $options --constraint "$everything" pyproject.toml scripts/build.in --output-file requirements.lock
for extra in dashboard deploy dev dask ray spark; do
  $uv pip compile $options --constraint "$everything" pyproject.toml scripts/build.in --extra "$extra" \
    --output-file "requirements-$extra.lock"
done
