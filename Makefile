# Two commands matter: `make run` and `make test`. Each sets up everything it needs.
PYTHON ?= python3
PORT   ?= 8000
KILLS  ?= 1000
CUTS   ?= 10000
CASES  ?= 100000
INPUTS ?= 1000000
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ASSETS := app/web/static/nhsuk/nhsuk-frontend.min.css

.PHONY: run test long check vulnerabilities bench faults fuzz submissions walks browser lock openapi clean

run: $(READY) $(ASSETS)
	$(BIN)/assent demo --port $(PORT)

# With bytecode kept, whatever the surroundings say: each process of the tests would compile the
# service and the tests again, and so would each service that a test starts.
test long: export PYTHONDONTWRITEBYTECODE :=
test: $(READY) $(ASSETS)
	$(BIN)/pytest -n auto --dist worksteal -m "not long"

# Walks, kills and fuzz of the whole service take minutes each, and find what a change seldom breaks.
long: $(READY) $(ASSETS)
	$(BIN)/pytest -q -n auto --dist worksteal -m long

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	ASSENT_DEMONSTRATION=true $(BIN)/assent policies check
	ASSENT_DEMONSTRATION=true $(BIN)/assent policies test
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# Known faults of what is locked; needs a network. See docs/assurance/components.md.
vulnerabilities:
	$(PYTHON) -m venv build/pip-audit
	build/pip-audit/bin/pip install --quiet pip-audit
	build/pip-audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock
	build/pip-audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements-dev.lock

bench: $(READY)
	$(BIN)/python -m benchmarks

faults: $(READY)
	$(BIN)/python -m tests.faults --kills $(KILLS) --cuts $(CUTS) --rounds 4 --beside 2

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --cases $(CASES) --readers $(INPUTS) --jobs $(JOBS)

# Random submissions on both engines: `make submissions CASES=10000`.
submissions: CASES = 10000
submissions: $(READY)
	ASSENT_SUBMISSIONS=$(CASES) $(BIN)/pytest -q -s tests/unit/reconciliation/test_random_submissions.py

# Random walks of the lifecycle, others than CI's: `make walks WALKS=300`, `SEED=` of an earlier run.
walks: WALKS = 200
walks: SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
walks: $(READY)
	@echo "SEED=$(SEED)"
	ASSENT_NEW_DRAWS=1 ASSENT_WALKS=$(WALKS) $(BIN)/pytest -q -n 2 --hypothesis-seed=$(SEED) \
		tests/integration/approvals/test_machine.py tests/integration/approvals/test_machine_of_two.py \
		tests/integration/approvals/test_simulation.py

# Every journey in every way of walking it; `.ci/run` takes two of the ways by turns.
browser: $(READY) $(ASSETS)
	ASSENT_REQUIRE_BROWSER=1 ASSENT_EVERY_WALK=1 $(BIN)/pytest -q -n 2 tests/browser

openapi: $(READY)
	ASSENT_DEMONSTRATION=true $(BIN)/assent openapi --write

lock: $(READY)
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --constraints requirements-dev.lock --extra spark pyproject.toml -o requirements-spark.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group node -o requirements-node.lock

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Assent needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Set PYTHON=python3.11 (or later).")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# The pages' style sheet and script, by npm: the system's, or where that fails the one that PyPI has.
$(ASSETS): app/web/frontend/package.json app/web/frontend/package-lock.json app/web/bring_assets.py | $(READY)
	$(BIN)/python -m app.web.bring_assets || { \
		$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock && \
		PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m app.web.bring_assets; }

clean:
	rm -rf $(VENV) app/web/static/nhsuk var .pytest_cache .mypy_cache .ruff_cache .hypothesis
