# Plumbline's commands: `make help` lists them. Set-up happens by itself: a virtual environment in .venv from the
# hashed pins of requirements*.txt, made with uv where the machine has it and with pip where not.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow interop focus faults benchmark benchmark-detection check format lock clean
MAKEFLAGS += --no-builtin-rules

# A caller's settings that would make pip install elsewhere, or Python import from elsewhere.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY

PYTHON ?=
ARGS ?=
SEEDS ?= 100
VENV := .venv
INTEROP := .venv-interop
EVIDENTLY := .venv-evidently
FOCUS := .venv-focus
# focus-validator asks for 3.12, and for a numpy that has no wheels for later ones.
FOCUS_PYTHON := 3.12
RUN = $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)

# The first candidate that runs, has wheels for all pins, and can make a virtual environment. A name on PATH proves
# nothing: version managers leave commands that only print an error.
OLDEST := 3.11
NEWEST := 3.14
CANDIDATES = $(if $(PYTHON),'$(PYTHON)',python3.11 python3.12 python3.13 python3.14 python3 "$$(uv python find --no-python-downloads '>=$(OLDEST),<=$(NEWEST).99' 2>/dev/null)")
PROBE = import sys, importlib.util as u; v = sys.version_info[:2]; \
  ends = [tuple(map(int, end.split("."))) for end in ("$(OLDEST)", "$(NEWEST)")]; \
  sys.exit(not (ends[0] <= v <= ends[1] and ("$(UV)" or u.find_spec("ensurepip"))))
find_python = $(shell for python in $(CANDIDATES); do \
  test -n "$$python" && "$$python" -c '$(PROBE)' >/dev/null 2>&1 && command -v "$$python" && break; done)
found_version = $(shell '$(or $(PYTHON),python3)' --version 2>/dev/null || echo not there)
no_python = Plumbline needs Python $(OLDEST) to $(NEWEST) with venv; $(or $(PYTHON),python3) is $(found_version): \
  install one, or name it: make … PYTHON=/path/to/python

# Wheels only: a platform without one gets an answer at once, not a failing compiler. --no-compile halves the work:
# Python compiles what it imports when it does.
ifeq ($(UV),)
  make_venv = '$(python)' -m venv $(VENV)
  install = ( $(RUN) -m pip install --disable-pip-version-check --no-input --no-compile --require-hashes --only-binary :all: \
    $(INSTALL_OPTIONS) -r $(1); echo $$? >$(VENV)/.status ) | awk -v total=$$(grep -c '^[A-Za-z0-9].*==' $(1)) \
      '/^Collecting/ { if (++n % 20 == 0) print "  " n " of " total; fflush() } \
       /^Installing collected/ { print "  unpacking"; fflush() } /^ERROR|^error/ { print; fflush() }'; \
    test "$$(cat $(VENV)/.status)" = 0
else
  make_venv = UV_PYTHON_DOWNLOADS=never uv venv --quiet --no-project --python '$(python)' $(VENV)
  install = UV_PYTHON_DOWNLOADS=never uv pip install --quiet --python $(RUN) --require-hashes --only-binary :all: $(INSTALL_OPTIONS) -r $(1)
endif

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Options go in ARGS (make demo ARGS=--no-serve; make test ARGS='-k broker'), another interpreter in PYTHON."

demo: $(VENV)/.run ## Sets up, then streams a week of agent traffic with known drifts and serves the dashboard
	@$(VENV)/bin/plumbline demo $(ARGS)

# No replacement for a worker that crashes: pytest-xdist 3.8.0 gives it work that is done already, and waits for ever.
PYTEST = $(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile --max-worker-restart 0
test: $(VENV)/.dev ## Sets up, then runs the everyday tests
	@$(PYTEST) -m "not slow" $(ARGS)

# One test at a time: what is slow is mostly alone in its file.
test-slow: $(VENV)/.dev ## Runs the slow tests: crashes at every step, long histories, old warehouses, a running Dagster (about 20 minutes)
	@$(PYTEST) --dist load -m slow --ignore tests/interop $(ARGS)

benchmark: $(VENV)/.dev ## Sets up, then measures speed, freshness and size, and writes docs/benchmarks.md (about 30 minutes)
	@$(RUN) -m tests.benchmarks $(ARGS)

benchmark-detection: $(VENV)/.dev ## Measures detection beside river, Evidently and the oracle, and writes docs/detection.md (ARGS=--short: wide intervals)
	@$(MAKE) --no-print-directory $(EVIDENTLY)/.ready || echo "No $(EVIDENTLY): Evidently is not measured, and the page says so"
	@$(RUN) -m tests.benchmarks.detection $(ARGS)

interop: $(VENV)/.dev $(INTEROP)/.ready ## Runs the real instrumentation packages, in an environment of their own
	@$(RUN) -m pytest tests/interop $(ARGS)

focus: $(VENV)/.dev $(FOCUS)/.ready ## Runs focus-validator over the FOCUS export, in an environment of its own (needs Python 3.12)
	@$(RUN) -m pytest tests/pipelines/billing $(ARGS)

faults: $(VENV)/.dev ## Kills workers and brokers, fills disks, locks catalogs: all seeds, and a table of what it cost
	@$(RUN) -m tests.faults --seeds $(SEEDS) $(ARGS)

check: $(VENV)/.dev ## Checks format, lint and types
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m basedpyright

format: $(VENV)/.dev ## Formats the code and applies the safe fixes
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

COMPILE = uv pip compile --quiet --universal --python-version $(OLDEST) --generate-hashes --no-strip-extras \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate
# Without extras for Evidently: pip does not take the pin of pandas[parquet] for the pandas that another package asks for.
lock: ## Recompiles the hashed pins from pyproject.toml (needs uv; ARGS=--upgrade takes new versions)
	$(if $(UV),,$(error make lock needs uv: install it with `pip install uv`))
	$(COMPILE) pyproject.toml $(ARGS) --output-file requirements.txt
	$(COMPILE) pyproject.toml $(ARGS) --group dev --constraints requirements.txt --output-file requirements-dev.txt
	$(COMPILE) --group pyproject.toml:interop $(ARGS) --output-file requirements-interop.txt
	$(COMPILE) --group pyproject.toml:evidently --strip-extras $(ARGS) --output-file requirements-evidently.txt
	$(subst --python-version $(OLDEST),--python-version $(FOCUS_PYTHON),$(COMPILE)) --group pyproject.toml:focus $(ARGS) --output-file requirements-focus.txt

clean: ## Removes the virtual environment and the tools' caches (never a home with data)
	rm -rf $(VENV) $(INTEROP) $(EVIDENTLY) $(FOCUS) .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find pipelines detectors warehouse dashboards tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last: a set-up that fails or is interrupted leaves none, and the next make starts it again.
$(VENV)/.run: requirements.txt $(VENV)/.made
	@echo "Installing the pinned packages into $(VENV) with $(if $(UV),uv,pip) (the first time takes a minute or two)"
	@$(call install,requirements.txt)
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.made
	@echo "Installing the pinned packages into $(VENV) with $(if $(UV),uv,pip) (the first time takes a minute or two)"
	@$(call install,requirements-dev.txt)
	@touch $(VENV)/.run $@

# The product's own packages are in neither: the interpreters only run the programs of tests/interop/agents and of
# tests/benchmarks/detection/theirs. cuid, which traceloop-sdk wants, is pure Python that has no wheel.
$(INTEROP)/.ready: VENV := $(INTEROP)
$(INTEROP)/.ready: INSTALL_OPTIONS := --no-binary cuid
$(EVIDENTLY)/.ready: VENV := $(EVIDENTLY)
# All that it needs is in its file; pip 23 does not see that the pin of pandas is what pandas[parquet] asks for.
$(EVIDENTLY)/.ready: INSTALL_OPTIONS := --no-deps
$(FOCUS)/.ready: VENV := $(FOCUS)
$(FOCUS)/.ready: OLDEST := $(FOCUS_PYTHON)
$(FOCUS)/.ready: NEWEST := $(FOCUS_PYTHON)
# Neither has a wheel; both are pure Python.
$(FOCUS)/.ready: INSTALL_OPTIONS := --no-deps --no-binary focus-validator --no-binary pandasql
$(INTEROP)/.ready $(EVIDENTLY)/.ready $(FOCUS)/.ready: .venv-%/.ready: requirements-%.txt
	$(eval python := $(find_python))
	$(if $(python),,$(error $(no_python)))
	@echo "Installing the packages of $< into $(VENV) with $(if $(UV),uv,pip) (a minute the first time)"
	@rm -rf $(VENV)
	@$(make_venv)
	@$(call install,$<)
	@touch $@

# The .pth line is relative, so the checkout may move; -P keeps a folder named pipelines at the caller's out of the way.
$(VENV)/.made:
	$(eval python := $(find_python))
	$(if $(python),,$(error $(no_python)))
	@rm -rf $(VENV)
	@$(make_venv)
	@echo ../../../.. >$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/plumbline.pth
	@printf '%s\n' '#!/bin/sh' 'exec "$$(dirname "$$(readlink -f "$$0")")/python" -P -m pipelines "$$@"' >$(VENV)/bin/plumbline
	@chmod +x $(VENV)/bin/plumbline
	@touch $@
