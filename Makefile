SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: audit bench-chain bench-cold-score bench-day-cost bench-exporter bench-lasting bench-login bench-memory bench-operation bench-parsing bench-quality bench-scale bench-speed bench-stack bench-turbines bench-validation check clean coverage demo docs down help image lock replay sbom secrets test test-fast test-stack up

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
COMPILE := $(UV) pip compile --quiet --python-version 3.11 --annotation-style line --no-header --generate-hashes
# PyPI's torch names gigabytes of GPU libraries that a CPU never loads, so the lock leaves them out.
# Its build differs by index, so that it alone has no hash.
AS_LOCKED := awk '/^[^ ]/ {gpu = /^(nvidia-|triton|cuda-)/; torch = /^torch==/} \
  gpu || (torch && /--hash/) {next} torch {sub(/ \\$$/, "")} {print}'
# Two processes, each file in one of them, so that what a file's tests share is made once.
SIDE_BY_SIDE := -n 2 --dist loadfile
# Nothing but the files whose hashes stand in the lock; nothing is built, for what builds has no hash.
CHECKED := --quiet --no-deps --require-hashes --only-binary :all:

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/runtime  ## from nothing to a promoted detector of a real wind farm
	$(PY) -m deploy.demo

up: $(VENV)/runtime  ## start Postgres, MLflow and Airflow; print where they are
	$(PY) -m deploy.embedded up

down: $(VENV)/runtime  ## stop them; nothing is lost
	$(PY) -m deploy.embedded down

secrets:  ## write .env for docker compose; what is there already stays
	python3 -m deploy.secrets

image: secrets  ## build the application image, stamped with this commit
	docker compose build --build-arg REVISION="$$(git describe --always --abbrev=40 --dirty=+changes --exclude '*' || echo unknown)" metrics

test: $(VENV)/dev $(VENV)/prometheus $(VENV)/audit/installed  ## every test, the real servers included
	$(PY) -m pytest -m "not integration and not stack" $(SIDE_BY_SIDE) --cov --cov-report=
	$(PY) -m pytest -m integration $(SIDE_BY_SIDE)
	$(PY) -m pytest -m stack

test-stack: $(VENV)/dev $(VENV)/prometheus  ## docker-compose.yml without an engine, main job and breakage (as root)
	$(PY) -m pytest -m stack -s

test-fast: $(VENV)/dev $(VENV)/prometheus $(VENV)/audit/installed  ## only the tests that start no server
	$(PY) -m pytest -m "not integration and not stack" $(SIDE_BY_SIDE)

coverage: $(VENV)/dev $(VENV)/prometheus $(VENV)/audit/installed  ## the same, and which lines of pipeline/ did not run
	$(PY) -m pytest -m "not integration and not stack" $(SIDE_BY_SIDE) --cov --cov-report=term

check: $(VENV)/dev  ## lint, format, types, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(VENV)/runtime  ## write the generated parts of docs/: detector file, command line, checks
	$(PY) -m deploy.documents

lock: $(VENV)/bin/uv  ## compile requirements*.in into the locks (versions stay; UPGRADE=--upgrade takes new ones)
	for name in requirements-build requirements requirements-dev requirements-audit; do \
	  cp $$name.txt $(VENV)/lock.txt; \
	  $(COMPILE) $(UPGRADE) $$name.in --output-file $(VENV)/lock.txt; \
	  $(AS_LOCKED) $(VENV)/lock.txt > $$name.txt; \
	done

sbom: $(VENV)/runtime $(VENV)/audit/installed  ## write sbom/: the locked packages as CycloneDX, and their licences
	mkdir -p sbom
	$(VENV)/audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-file sbom/plimsoll.cdx.json requirements.txt 2> $(VENV)/audit/warnings.txt || { cat $(VENV)/audit/warnings.txt >&2; exit 1; }
	$(VENV)/audit/bin/pip-licenses --python $(PY) --with-system --from mixed --order license --format csv \
	  --packages $$(grep -oE '^[^ =]+==' requirements.txt | tr -d =) > sbom/licences.csv
	@echo "Written to sbom/plimsoll.cdx.json and sbom/licences.csv. These packages state no licence:"
	@grep '"UNKNOWN"' sbom/licences.csv || echo none

audit: $(VENV)/audit/installed  ## known vulnerabilities of every package in every lock
	grep -hoE '^[^ =]+==[^ ;]+' requirements*.txt | sort -u > $(VENV)/audit/versions.txt
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)/audit/versions.txt

bench-turbines: $(VENV)/dev  ## detection quality on La Haute Borne, against PyOD
	$(PY) -m benchmarks.turbines --rotations

bench-cold-score: $(VENV)/dev  ## 100,000 rows of 36 features, from a cold start
	$(PY) -m benchmarks.cold_score

bench-chain: $(VENV)/dev  ## what Airflow adds to a training run and to 91 days of ingestion
	$(PY) -m benchmarks.chain

bench-parsing: $(VENV)/dev  ## what the DAG processor needs for each DAG file, with 100 detectors
	$(PY) -m benchmarks.parsing

bench-quality: $(VENV)/dev  ## every family and PyOD on ADBench and the server machines
	$(PY) -m benchmarks.quality

bench-speed: $(VENV)/dev  ## fit and score, against PyOD and the machine's matrix-multiply rate
	$(PY) -m benchmarks.speed

bench-scale: $(VENV)/dev  ## score 20 million x 36 rows, one process here against two workers on S3
	$(PY) -m benchmarks.scale

bench-stack: $(VENV)/dev $(VENV)/prometheus  ## the composed stack: 100 daily partitions, 20 million rows on two workers (as root)
	$(PY) -m benchmarks.stack

bench-validation: $(VENV)/dev  ## what many stuck runs add to the validation of a day
	$(PY) -m benchmarks.validation

bench-memory: $(VENV)/dev  ## fit and score 20 million x 50 rows from Parquet in bounded memory
	$(PY) -m benchmarks.memory

bench-operation: $(VENV)/dev  ## a year in production: ratchet, drift, shifts, incidents, backfill, rollback, replay
	$(PY) -m benchmarks.operation

bench-login: $(VENV)/dev  ## what the login before MLflow adds to a call
	$(PY) -m benchmarks.login

bench-day-cost: $(VENV)/dev  ## a scored day after 20, 100, 300 and 700 days of history
	$(PY) -m benchmarks.day_cost

bench-lasting: $(VENV)/dev  ## faults that last: intervals, thresholds, slow faults, versions, a young station
	$(PY) -m benchmarks.lasting
	$(PY) -m benchmarks.lasting.first_version --trials 30
	$(PY) -m benchmarks.lasting.successors --trials 30
	$(PY) -m benchmarks.lasting.open_shift --trials 5
	$(PY) -m benchmarks.lasting.lasting_fault --trials 20
	$(PY) -m benchmarks.lasting.young_station
	$(PY) -m benchmarks.lasting.muting --trials 20
	$(PY) -m benchmarks.lasting.growing_shift --trials 8 --first-seed 2000

bench-exporter: $(VENV)/dev  ## a scrape of 100 detectors with a year of readings each
	$(PY) -m benchmarks.exporter

replay: $(VENV)/dev  ## two real years with monthly recalibration, against the usual policies
	$(PY) -m benchmarks.replay

clean: down  ## forget everything the stack has stored (the environment stays)
	rm -rf .plimsoll

$(VENV)/bin/uv: requirements-build.txt
	python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and f"Python 3.11 is needed, this is {sys.version.split()[0]}: install it, or put it first in PATH")'
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install $(CHECKED) -r requirements-build.txt
	touch $@

# A dot every five seconds while a long command says nothing.
PATIENTLY = ( while sleep 5; do printf .; done ) & dots=$$!; trap 'kill $$dots; echo' EXIT;

# torch comes last, when all that it needs is there as locked, and through pip: pip alone looks where
# a CPU build may lie ready (find-links).
$(VENV)/runtime: $(VENV)/bin/uv requirements.txt
	@echo "Installing the packages of requirements.txt ..."
	@$(PATIENTLY) grep -v '^torch==' requirements.txt | $(UV) pip install $(CHECKED) --python $(PY) -r -
	@echo "Installing torch ..."
	@$(PATIENTLY) $(VENV)/bin/pip install --quiet "$$(grep -oE '^torch==[^ ]+' requirements.txt)"
	touch $@

$(VENV)/dev: $(VENV)/runtime requirements-dev.txt
	@echo "Installing the packages of requirements-dev.txt ..."
	@$(PATIENTLY) $(UV) pip install $(CHECKED) --python $(PY) -r requirements-dev.txt
	touch $@

# An environment of their own: what looks at the packages does not choose their versions.
$(VENV)/audit/installed: $(VENV)/bin/uv requirements-audit.txt
	@$(PY) -m venv --clear --without-pip $(VENV)/audit
	@$(UV) pip install $(CHECKED) --python $(VENV)/audit/bin/python -r requirements-audit.txt
	touch $@

# No package index has Prometheus: the machine's own is used, or Debian's package is unpacked. Only
# tests need it.
$(VENV)/prometheus: | $(VENV)/bin/uv
	@echo "Getting prometheus and promtool ..."
	@rm -rf $(VENV)/debian; mkdir $(VENV)/debian
	@if command -v prometheus && command -v promtool; then \
	  ln -sf "$$(command -v prometheus)" "$$(command -v promtool)" $(VENV)/bin/; \
	else \
	  ( cd $(VENV)/debian && ( apt-get -qq download prometheus || ( apt-get -qq update && apt-get -qq download prometheus ) ) ) || { \
	    echo "Debian's package prometheus could not be fetched. Run 'apt-get update' as root and try again, or put prometheus and promtool into PATH." >&2; exit 1; }; \
	  dpkg -x $(VENV)/debian/prometheus_*.deb $(VENV)/debian; \
	  rm $(VENV)/debian/prometheus_*.deb; \
	  ln -sf ../debian/usr/bin/prometheus ../debian/usr/bin/promtool $(VENV)/bin/; \
	fi
	@$(VENV)/bin/promtool --version | head -1
	touch $@
