# make run     set everything up and open the app            make check   lint, types, import contracts
# make test    set everything up, check and test             make coverage   tests with a coverage table
# make venv    set everything up                             make resolve    wheels for each platform and Python
# make test-browser   tests in a browser                                    make test-random  tests in random order
# make test-portable  tests of numbers as other processors compute, and as JAX does
# make mutants        a sample of small errors put into the evaluation and the documents: do the tests notice?
# make fuzz    mutated uploads, each of which must be answered or refused; COUNT=10000, or MINUTES=30
#
# Another Python: make PYTHON=/path/to/python3.12. Another environment: VENV=dir. Without uv: INSTALLER=pip.
# Arguments: ARGS="-k store", ARGS="--server.port 80".

VENV ?= .venv
ARGS ?=
COUNT ?= 10000
MINUTES ?=
INSTALLER ?= uv
# The Python that the tests ran on comes first.
PYTHON ?= python3.11 python3.12 python3.13 python3

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

# tensorflow and tensorflow-cpu write the same files, so an environment is of one kind.
ifeq ($(shell nvidia-smi -L >/dev/null 2>&1 && echo yes),yes)
KIND := gpu
OTHER := cpu
RUNTIME := requirements-gpu.txt
SIZE := 7 GB
else
KIND := cpu
OTHER := gpu
RUNTIME := requirements.txt
SIZE := 2.3 GB
endif

DEV_SIZE := 0.5 GB
MUTANTS_SIZE := 23 MB

# An empty file says what is installed: its name holds a checksum of the requirements, so nothing is done twice and a change
# is never missed.
checksum = $(shell cat $(1) constraints.txt | cksum | cut -d ' ' -f 1)
RUNTIME_STAMP := $(VENV)/.runtime-$(KIND)-$(call checksum,$(RUNTIME))
DEV_STAMP := $(VENV)/.dev-$(KIND)-$(call checksum,$(RUNTIME) requirements-dev.txt)
MUTANTS_STAMP := $(VENV)/.mutants-$(KIND)-$(call checksum,$(RUNTIME) requirements-dev.txt requirements-mutants.txt)

.PHONY: run test test-random test-browser test-portable mutants fuzz check coverage venv resolve clean

run: $(RUNTIME_STAMP)
	@echo "Starting the app: about 3 s, the very first time about 15 s"
	@$(BIN)/python -m streamlit run app.py --server.address=localhost $(ARGS)

test: check
	@echo "Tests: 6 to 12 minutes on two cores; what is skipped stands at the end, with its reason"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not jax" $(ARGS)

test-browser: $(DEV_STAMP)
	@echo "Tests in a headless Chromium: about 5 minutes on two cores"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m browser $(ARGS)

# In another order each time, whose seed it prints; ARGS="--randomly-seed=N" repeats one.
test-random: $(DEV_STAMP)
	$(BIN)/python -m pytest -p randomly -n 2 --dist loadfile $(ARGS)

# The number-sensitive tests again as other processors compute, and those of JAX; ARGS=--short as CI does, in one go.
test-portable: $(DEV_STAMP)
	$(BIN)/python -m tests.portable $(ARGS)

# docs/mutants.md says what it found; ARGS="--count 50 --seed 2" draws fewer and others, and names of mutants run these alone.
mutants: $(MUTANTS_STAMP)
	$(BIN)/python -m tests.mutants $(ARGS)

# An input that fails is kept in fuzzed/; ARGS="--seed 2" tries others.
fuzz: $(DEV_STAMP)
	@$(BIN)/python -m tests.fuzz $(if $(MINUTES),--minutes $(MINUTES),--count $(COUNT)) $(ARGS)

check: $(DEV_STAMP)
	@echo "Lint and format (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "Types (mypy; the first time about a minute)"
	@$(BIN)/mypy
	@echo "Import contracts (import-linter)"
	@$(BIN)/lint-imports --no-logo

coverage: $(DEV_STAMP)
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

venv: $(DEV_STAMP)

$(BIN)/pip:
	@for python in $(PYTHON); do \
		if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
			echo "Creating $(VENV) with $$python: a few seconds"; \
			exec "$$python" -m venv "$(VENV)"; \
		fi; \
	done; \
	echo "make: Python 3.11, 3.12 or 3.13 is required. Received: PYTHON=$(PYTHON), none of which is one;" \
		"install one or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

# A stamp is written last, and one of another set goes first: what was broken off is done again.
$(RUNTIME_STAMP): | $(BIN)/pip
	@$(BIN)/python -c '$(SUPPORTED)' || { \
		echo "make: $(VENV) must hold Python 3.11, 3.12 or 3.13; delete that folder and try again" >&2; exit 1; }
	@if ls $(VENV)/.runtime-$(OTHER)-* >/dev/null 2>&1; then \
		echo "Removing TensorFlow of the other kind"; $(PIP) uninstall --quiet --yes tensorflow tensorflow-cpu; fi
	@rm -f $(VENV)/.runtime-* $(VENV)/.dev-*
	@$(BIN)/python install.py --installer=$(INSTALLER) --size="$(SIZE)" -r $(RUNTIME)
	@touch $@

$(DEV_STAMP): $(RUNTIME_STAMP)
	@rm -f $(VENV)/.dev-*
	@$(BIN)/python install.py --installer=$(INSTALLER) --size="$(DEV_SIZE) more" -r $(RUNTIME) -r requirements-dev.txt
	@touch $@

$(MUTANTS_STAMP): $(DEV_STAMP)
	@rm -f $(VENV)/.mutants-*
	@$(BIN)/python install.py --installer=$(INSTALLER) --size="$(MUTANTS_SIZE) more" -r $(RUNTIME) -r requirements-dev.txt \
		-r requirements-mutants.txt
	@touch $@

# Whether the tested set has a wheel of each package for each supported platform and Python; uv reads the environment markers of
# the platform asked for. onnxruntime's wheels begin with macOS 14.
PLATFORMS := x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin x86_64-pc-windows-msvc
COMBINATIONS := $(foreach platform,$(PLATFORMS),requirements.txt:$(platform)) requirements-gpu.txt:x86_64-manylinux_2_28

resolve: | $(BIN)/pip
	@$(PIP) install --quiet uv -c constraints.txt
	@failed=; for combination in $(COMBINATIONS); do for version in 3.11 3.12 3.13; do \
		requirements=$${combination%%:*}; platform=$${combination#*:}; \
		if found=$$(MACOSX_DEPLOYMENT_TARGET=14.0 $(BIN)/python -m uv pip compile --quiet --no-header --no-annotate \
			--only-binary=:all: --python-platform=$$platform --python-version=$$version \
			$$requirements requirements-dev.txt -c constraints.txt); \
		then echo "$$requirements, $$platform, Python $$version: $$(echo "$$found" | wc -l) packages"; \
		else echo "$$requirements, $$platform, Python $$version: does not resolve" >&2; failed=yes; fi; \
	done; done; test -z "$$failed"

# The environment stays; a folder given as VENV may hold more than we put there.
clean:
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov mutants fuzzed .coverage .coverage.*
	find . -path "./$(VENV)" -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
