# make run     set everything up and open the app            make check   lint, types, import contracts
# make test    set everything up, check and test             make coverage   tests with a coverage table
#
# Another Python: make PYTHON=/path/to/python3.12. Another environment: VENV=dir. Arguments: ARGS="-k store", ARGS="--server.port 80".

VENV ?= .venv
ARGS ?=
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
else
KIND := cpu
OTHER := gpu
RUNTIME := requirements.txt
endif

# An empty file says what is installed: its name holds a checksum of the requirements, so nothing is done twice and a change
# is never missed.
checksum = $(shell cat $(1) constraints.txt | cksum | cut -d ' ' -f 1)
RUNTIME_STAMP := $(VENV)/.runtime-$(KIND)-$(call checksum,$(RUNTIME))
DEV_STAMP := $(VENV)/.dev-$(KIND)-$(call checksum,$(RUNTIME) requirements-dev.txt)

.PHONY: run test test-portable check coverage venv resolve clean

run: $(RUNTIME_STAMP)
	$(BIN)/python -m streamlit run app.py --server.address=localhost $(ARGS)

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The number-sensitive tests again as other processors compute; ARGS=--short as CI does, in one go.
test-portable: $(DEV_STAMP)
	$(BIN)/python -m tests.portable $(ARGS)

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

coverage: $(DEV_STAMP)
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

venv: $(DEV_STAMP)

$(BIN)/pip:
	@for python in $(PYTHON); do \
		if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
			echo "Creating $(VENV) with $$python"; \
			exec "$$python" -m venv "$(VENV)"; \
		fi; \
	done; \
	echo "make: Python 3.11, 3.12 or 3.13 is required. Received: PYTHON=$(PYTHON), none of which is one;" \
		"install one or name it: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(RUNTIME_STAMP): | $(BIN)/pip
	@$(BIN)/python -c '$(SUPPORTED)' || { \
		echo "make: $(VENV) must hold Python 3.11, 3.12 or 3.13; delete that folder and try again" >&2; exit 1; }
	@if ls $(VENV)/.runtime-$(OTHER)-* >/dev/null 2>&1; then $(PIP) uninstall --yes tensorflow tensorflow-cpu; fi
	@rm -f $(VENV)/.runtime-* $(VENV)/.dev-*
	$(PIP) install -r $(RUNTIME) -c constraints.txt
	@touch $@

$(DEV_STAMP): $(RUNTIME_STAMP)
	@rm -f $(VENV)/.dev-*
	$(PIP) install -r $(RUNTIME) -r requirements-dev.txt -c constraints.txt
	@touch $@

# Whether the tested set has wheels for each supported Python on Linux x86-64. pip reads environment markers with the Python
# that runs it, so a dependency of one Python version only would escape this.
resolve: $(DEV_STAMP)
	@for version in 3.11 3.12 3.13; do for requirements in requirements.txt requirements-gpu.txt; do \
		echo "Python $$version, $$requirements"; \
		$(PIP) install --quiet --dry-run --ignore-installed --target unused --only-binary=:all: --implementation cp \
			--python-version $$version --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
			--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
			-r $$requirements -r requirements-dev.txt -c constraints.txt || exit 1; \
	done; done

# The environment stays; a folder given as VENV may hold more than we put there.
clean:
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov .coverage .coverage.*
	find . -path "./$(VENV)" -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
