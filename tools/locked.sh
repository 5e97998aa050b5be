#!/usr/bin/env bash
# Makes .cache/locked: an environment with exactly the packages of docker/requirements.txt, and this one.
set -euo pipefail
uv=.cache/release/bin/uv
"$uv" venv --quiet --clear --python .cache/release/bin/python .cache/locked
export VIRTUAL_ENV=.cache/locked
"$uv" pip install --quiet --require-hashes --requirement docker/requirements.txt
"$uv" pip install --quiet --no-deps .
