#!/usr/bin/env bash
# Makes a virtual environment with this package in it, editable.
#   environment.sh DIRECTORY [EXTRA]
# PYTHON names the interpreter to use; otherwise the first one that is new enough.
set -euo pipefail
directory=$1
extra=${2:-}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer is needed and was not found as: ${PYTHON:-python3, python3.11 to python3.14}." >&2
  echo "Install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2
  return 1
}

# Debian and Ubuntu keep the part of Python that makes environments in a package of its own.
can_make_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

install_venv_module() {
  local version as_root=()
  version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  ((EUID == 0)) || as_root=(sudo -n)
  if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
    echo "Installing python$version-venv ..."
    "${as_root[@]}" apt-get update -qq &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "python$version-venv" >/dev/null
  fi
  can_make_environments "$1" || {
    echo "$1 cannot make virtual environments: install python$version-venv (Debian, Ubuntu) and try again." >&2
    return 1
  }
}

if ! [[ -x $directory/bin/python ]] || ! new_enough "$directory/bin/python"; then
  python=$(find_python)
  can_make_environments "$python" || install_venv_module "$python"
  echo "Creating $directory with $("$python" --version) ..."
  "$python" -m venv --clear "$directory"
fi
echo "Installing spend-exporter${extra:+ and what its tests need} into $directory (once, a minute or two) ..."
package=".${extra:+[$extra]}"
pip=("$directory/bin/python" -m pip install --quiet --disable-pip-version-check)
# uv takes a sixth of pip's time, but knows nothing of pip's own settings, such as an index: then pip does it.
if ! { "${pip[@]}" 'uv>=0.8,<1' && "$directory/bin/python" -m uv pip install --quiet --python "$directory/bin/python" --editable "$package"; }; then
  "${pip[@]}" --editable "$package"
fi
