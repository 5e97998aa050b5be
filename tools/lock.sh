#!/usr/bin/env bash
# Renews what is pinned for the image: docker/requirements.txt, docker/build-requirements.txt, and docs/licences.md from them.
# Needs the tools of .cache/release (make installs them).
set -euo pipefail
uv=.cache/release/bin/uv

compile() { # compile FILE SOURCE...
  # Universal: one list for every Python and processor. No address of a package index gets into it.
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --upgrade --custom-compile-command "make lock" --output-file "$1" "${@:2}" >/dev/null
}

compile docker/requirements.txt pyproject.toml --extra s3 --extra gcs --extra azure
build_requirements=$(mktemp --suffix=.in)
trap 'rm -f "$build_requirements"' EXIT
.cache/release/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
  >"$build_requirements"
compile docker/build-requirements.txt --no-annotate "$build_requirements"

tools/locked.sh
.cache/locked/bin/python tools/licences.py docker/requirements.txt >docs/licences.md
