# Everything that a contributor runs. A fresh Debian or Ubuntu with Python 3.11+, venv and make is enough: the virtual
# environment is made here, and programs that tests drive are installed by apt-get where that is allowed.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
SOURCES := core plugins storage datasette_plugins tests
WORKERS ?= 2
# Tests start hundreds of programs: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint format types layers unit network bench system clean function-zip function-image

help:
	@echo "make demo     the main job on a real upstream, in ./demo"
	@echo "make test     lint and every test that needs no network"
	@echo "make lint     ruff, mypy, import-linter"
	@echo "make format   let ruff put the code into shape"
	@echo "make network  tests against a real repository on the network"
	@echo "make bench    speed and memory beside aptly and reprepro"
	@echo "make function-zip    function.zip, for a cloud function"
	@echo "make function-image  the same as a container"

.venv/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[all]' --group dev
	@touch $@

system:
	@tests/support/system_packages.sh gnupg gpgv dpkg-dev xz-utils zstd gzip bzip2 openssl apt-utils apt-file dnf rpm createrepo-c nginx \
		radosgw ceph-mon ceph-osd ceph-common debsigs clamav clamav-daemon curl jq chromium systemd

demo: .venv/ready
	@tests/support/system_packages.sh gnupg gpgv dnf
	$(BIN)/entrepot demo demo/apt
	$(BIN)/entrepot demo demo/rpm --format rpm

lint: .venv/ready
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

unit: .venv/ready system
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not network and not bench"

# Side by side: mypy takes one core for a minute, and tests now and then wait for a program.
test: .venv/ready system
	@$(MAKE) --no-print-directory --jobs=2 lint unit

network: .venv/ready system
	$(BIN)/pytest -m network

bench: .venv/ready
	@tests/support/system_packages.sh gnupg gpgv dpkg-dev xz-utils aptly reprepro clamav-daemon clamdscan
	$(BIN)/pytest -m bench -s

function-zip: .venv/ready
	$(BIN)/python deploy/function_zip.py function.zip

function-image:
	$(or $(shell command -v podman),docker) build --file deploy/Containerfile --tag entrepot-function .

clean:
	rm -rf .venv demo function.zip .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
