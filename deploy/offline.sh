#!/usr/bin/env bash
# Install Assent where there is no network.
#
#   deploy/offline.sh pack FOLDER            with a network: the locked wheels, by hash, and the code
#   deploy/offline.sh install FOLDER TARGET  without one: TARGET gets a virtual environment and code
#
# Pack on a machine of the same kind (system, processor, Python) as the one that installs.
# Then: TARGET/bin/assent db upgrade; TARGET/bin/assent serve
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}

pack() {
    local folder=$1
    mkdir -p -- "$folder/wheels" "$folder/code"
    "$python" -m pip download --quiet --require-hashes --only-binary :all: \
        --requirement "$root/requirements.lock" --dest "$folder/wheels"
    cp -r -- "$root"/{LICENSE,app,migrations,openapi,policies,requirements.lock} "$folder/code/"
    cp -- "${BASH_SOURCE[0]}" "$folder/offline.sh"
    (cd -- "$folder" && find . -type f ! -name SHA256SUMS ! -name '*.pyc' -print0 |
        sort -z | xargs -0 sha256sum >SHA256SUMS)
    echo "packed: $folder ($(find "$folder/wheels" -name '*.whl' | wc -l) wheels). Check its SHA256SUMS over there."
}

install() {
    local folder=$1 target=$2
    (cd -- "$folder" && sha256sum --quiet --check SHA256SUMS)
    "$python" -m venv "$target"
    for wheel in "$folder"/wheels/*.whl; do
        grep -q "sha256:$(sha256sum "$wheel" | cut -d ' ' -f 1)" "$folder/code/requirements.lock" ||
            { echo "$wheel is not one of the lock file's." >&2; exit 1; }
    done
    "$target/bin/pip" install --quiet --no-index --no-deps "$folder"/wheels/*.whl
    "$target/bin/pip" check
    mkdir -p -- "$target/code"
    cp -r -- "$folder/code/." "$target/code/"
    # The code runs from its folder, because migrations and policies lie beside it.
    printf '#!%s\nimport sys\nsys.path.insert(0, %s)\nfrom app.cli import main\nmain()\n' \
        "$(cd -- "$target/bin" && pwd)/python" "'$(cd -- "$target/code" && pwd)'" >"$target/bin/assent"
    chmod 0755 "$target/bin/assent"
    echo "installed: $target/bin/assent"
}

case "${1:-}:$#" in
    pack:2) pack "$2" ;;
    install:3) install "$2" "$3" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
