#!/usr/bin/env bash
# Runs the quick tests with the lowest or the newest versions that pyproject.toml allows, in an environment of its own.
#   test-versions.sh lowest|newest OPTION-OF-PYTEST...
# `lowest` takes the minimum of each package that pyproject.toml names; what those need themselves is as new as it can be.
set -euo pipefail
case $1 in
  lowest) resolution=lowest-direct ;;
  newest) resolution=highest ;;
  *) echo "lowest or newest" >&2; exit 2 ;;
esac
environment=.cache/$1
.cache/release/bin/uv venv --quiet --clear --python .cache/release/bin/python "$environment"
VIRTUAL_ENV=$environment .cache/release/bin/uv pip install --quiet --upgrade --resolution "$resolution" --editable '.[test]'
exec "$environment/bin/pytest" "${@:2}"
