#!/usr/bin/env bash
# Install Assent where there is no network.
#
#   deploy/offline.sh pack FOLDER            with a network: the locked wheels, by hash, and the code
#   deploy/offline.sh install FOLDER TARGET  without one: TARGET gets a virtual environment and code
#   deploy/offline.sh seal FOLDER            after a change on purpose: SHA256SUMS anew
#
# Pack on a machine of the same kind (system, processor, Python) as the one that installs.
# Then: TARGET/bin/assent db upgrade; TARGET/bin/assent serve
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}

pack() {
    local folder=$1
    [[ -e $root/app/web/static/nhsuk/nhsuk-frontend.min.css ]] ||
        { echo "The pages' style sheet is not there: run \`make run\` once here, then pack." >&2; exit 1; }
    mkdir -p -- "$folder/wheels" "$folder/code"
    "$python" -m pip download --quiet --require-hashes --only-binary :all: \
        --requirement "$root/requirements.lock" --dest "$folder/wheels"
    cp -r -- "$root"/{LICENSE,app,migrations,openapi,policies,requirements.lock} "$folder/code/"
    cp -- "${BASH_SOURCE[0]}" "$folder/offline.sh"
    seal "$folder"
    echo "packed: $folder ($(find "$folder/wheels" -name '*.whl' | wc -l) wheels). Check its SHA256SUMS over there."
}

files_of() { (cd -- "$1" && find . -type f ! -name SHA256SUMS -print0 | sort -z); }

seal() {
    local folder=$1
    find "$folder" -name __pycache__ -prune -exec rm -rf {} +
    files_of "$folder" | (cd -- "$folder" && xargs -0 sha256sum >SHA256SUMS)
}

# Nothing changed, nothing gone, and nothing that the sums do not name.
check() {
    local folder=$1
    (cd -- "$folder" && sha256sum --quiet --check SHA256SUMS) &&
        diff <(files_of "$folder" | tr '\0' '\n') <(cut -c 67- "$folder/SHA256SUMS") >&2 ||
        { echo "$folder is not as it was packed: pack and carry it again." >&2; exit 1; }
}

install() {
    local folder=$1 target=$2
    check "$folder"
    for wheel in "$folder"/wheels/*.whl; do
        grep -q "sha256:$(sha256sum "$wheel" | cut -d ' ' -f 1)" "$folder/code/requirements.lock" ||
            { echo "$wheel is not one of the lock file's." >&2; exit 1; }
    done
    "$python" -m venv "$target"
    "$target/bin/pip" install --quiet --no-index --no-deps "$folder"/wheels/*.whl
    "$target/bin/pip" check
    mkdir -p -- "$target/code"
    cp -r -- "$folder/code/." "$target/code/"
    # The code runs from its folder, because migrations and policies lie beside it.
    printf '#!%s\nimport sys\nsys.path.insert(0, %s)\nfrom app.cli import main\nif __name__ == "__main__":\n    main()\n' \
        "$(cd -- "$target/bin" && pwd)/python" "'$(cd -- "$target/code" && pwd)'" >"$target/bin/assent"
    chmod 0755 "$target/bin/assent"
    echo "installed: $target/bin/assent"
}

case "${1:-}:$#" in
    pack:2) pack "$2" ;;
    seal:2) seal "$2" ;;
    install:3) install "$2" "$3" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
