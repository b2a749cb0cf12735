#!/bin/sh
# Run clients of a venue against the simulator, in a virtual environment built from their hashed lock:
#     run.sh NAME MINIMUM SCRIPT...      NAME picks requirements-NAME.lock and .venv-conformance-NAME
# Without a Python of at least MINIMUM the clients are skipped: one line says so, and the status is 0.
set -eu

name=$1 minimum=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
lock=$here/requirements-$name.lock
environment=$here/../../.venv-conformance-$name

suits() { # whether $1 runs and is new enough
    "$1" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$minimum'.split('.'))))" 2>/dev/null
}

build() {
    python=
    for candidate in "$here/../../.venv/bin/python" "python$minimum" python3.13 python3.14 \
        "${HOME:-}"/.pyenv/versions/"$minimum"*/bin/python "${HOME:-}"/.local/share/uv/python/cpython-"$minimum"*/bin/python; do
        if suits "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "conformance: SKIPPED $*: Python $minimum or newer was not found (looked for python$minimum on the PATH and in ~/.pyenv/versions)" >&2
        exit 0
    fi
    echo "conformance: building $(basename "$environment") with $("$python" --version)"
    rm -rf "$environment"
    if uv --version >/dev/null 2>&1; then
        uv venv --quiet --no-project --python "$python" "$environment"
        uv pip install --quiet --python "$environment/bin/python" --require-hashes --no-build -r "$lock"
    else
        "$python" -m venv "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --only-binary :all: -r "$lock"
    fi
    cp "$lock" "$environment/installed.lock"
}

cmp -s "$lock" "$environment/installed.lock" || build "$@"
for script in "$@"; do
    "$environment/bin/python" "$here/$script.py"
done
