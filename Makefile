# The two commands: `make run` starts the server, `make test` runs all tests. Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE_OPTIONS ?=
TEST_OPTIONS ?=
TEST_PROCESSES ?= 2

# Debian packages that only the tests need.
TEST_PACKAGES := caddy chromium-headless-shell fonts-dejavu-core haproxy libcurl4 nginx-light
# What Debian starts when these are installed. The tests start their own, and nobody has asked for others.
SERVICES := caddy haproxy nginx

SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
MAY_INSTALL := $(shell command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } && echo yes)

# Install Debian packages when this user may, or name them.
define require_packages
	@missing=""; for package in $(1); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$(MAY_INSTALL)" = yes ]; then \
			$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing || exit 1; \
			for service in $(SERVICES); do case "$$missing" in *" $$service"*) \
				$(SUDO) systemctl disable --now $$service >/dev/null 2>&1 || true;; esac; done; \
		else \
			echo "Please install these packages first: apt-get install$$missing" >&2; exit 1; \
		fi; \
	fi
endef

.PHONY: run test lint format bench clean

run: $(VENV)/.run
	$(BIN)/rhythmd serve $(SERVE_OPTIONS)

test: $(VENV)/.dev
	$(call require_packages,$(TEST_PACKAGES))
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(TEST_OPTIONS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m bench compare

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

# Debian's python3 comes without the part that makes virtual environments whole.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rhythmd needs Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory system-venv
	$(PYTHON) -m venv $(VENV)

.PHONY: system-venv
system-venv:
	$(call require_packages,python3-venv)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench,dev]'
	@touch $@ $(VENV)/.run
