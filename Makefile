# Everything that one does with this repository. `make` alone lists it. Needed: python3 (3.9 or newer), make, git.
#
# These environments are made when they are first needed, and made anew when what they are made of changes:
#   .cache/uv        the installer, from whatever python3 there is
#   .venv            Python 3.13 with all that the functions, the tests and the checks import
#   .cache/sam       SAM's command line alone, since it wants another boto3
#   .cache/checkov   checkov alone, for the same reason
#   .cache/audit     pip-audit alone, which nothing but `make audit` needs

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Nothing that is started here may reach an AWS account: fake keys, no profile, no configuration, no instance's role.
unexport AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_REGION AWS_ENDPOINT_URL \
	AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
# With these, checkov would send its results to its makers.
unexport BC_API_KEY PRISMA_API_URL
export AWS_ACCESS_KEY_ID := testing
export AWS_SECRET_ACCESS_KEY := testing
export AWS_DEFAULT_REGION := us-east-1
export AWS_CONFIG_FILE := /dev/null
export AWS_SHARED_CREDENTIALS_FILE := /dev/null
export AWS_EC2_METADATA_DISABLED := true
export SAM_CLI_TELEMETRY := 0
# The system's certificates, as pip and git use them, so that it works behind a company's proxy too.
export UV_SYSTEM_CERTS := true

UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
PYTHON := .venv/bin/python
SAM := .cache/sam/bin/sam
# It writes its bytecode wherever it runs: without, half of its time goes into compiling. `--skip-download` keeps it from
# asking its makers for the texts about its checks; it makes no other call.
CHECKOV := PYTHONDONTWRITEBYTECODE= .cache/checkov/bin/checkov --framework cloudformation --skip-download --compact --quiet

TEMPLATES := template.yaml template-copy-region.yaml template-vault-account.yaml

# What the build is made of. The list itself is compared too, so that a file that was removed is noticed.
LAYERS := layers/holdfast layers/verifier
SOURCES := template.yaml $(sort $(shell find functions $(LAYERS) -type f \
	\( -name '*.py' -o -name '*.pem' -o -name '*.json' -o -name '*.j2' -o -name '*.css' -o -name '*.js' -o -name py.typed -o -name Makefile -o -name requirements.txt \)))
CODE := functions layers/holdfast/holdfast local tests

# Prints a Python 3.13: one that is on the PATH or that pyenv has; else its version, which uv then fetches.
FIND_PYTHON := for candidate in "$$(command -v python3.13)" "$$(pyenv prefix 3.13 2>/dev/null)/bin/python3.13" \
		"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python3.13; do \
	"$$candidate" -c 'import sys; sys.version_info[:2] == (3, 13) or sys.exit(1); print(sys.executable)' \
		2>/dev/null && exit; \
	done; echo 3.13

##@ See it

.PHONY: demo
demo: build ## Fifteen nights of a small company's backups, on this machine (WEATHER=storm: while AWS misbehaves)
	$(PYTHON) -m local.demo $(if $(WEATHER),--weather $(WEATHER)) $(if $(SEED),--seed $(SEED)) $(if $(NIGHTS),--nights $(NIGHTS))

.PHONY: demo-region
demo-region: build ## The Region is gone, and its standby brings the company back in the other one
	$(PYTHON) -m local.region_gone

.PHONY: cloud
cloud: build ## The same cloud, filled and left running, to try things against
	$(PYTHON) -m local.serve

.PHONY: invoke
invoke: build ## Call a function in it: make invoke FUNCTION=create_backups EVENT=events/nightly.json
	@test -n "$(FUNCTION)" && test -n "$(EVENT)" || { \
		echo 'usage: make invoke FUNCTION=create_backups EVENT=events/nightly.json'; exit 2; }
	$(PYTHON) -m local.invoke "$(FUNCTION)" "$(EVENT)"

.PHONY: restore
restore: build ## Restore something in it: make restore RESOURCE=orders TO=orders-again (AT=latest, BACKUP=, REGION=us-west-2)
	@test -n "$(RESOURCE)" || { echo 'usage: make restore RESOURCE=orders TO=orders-again'; exit 2; }
	$(PYTHON) -m local.restoring "$(RESOURCE)" $(if $(TO),--to "$(TO)") $(if $(AT),--at "$(AT)") \
		$(if $(BACKUP),--backup "$(BACKUP)") $(if $(REGION),--region "$(REGION)")

.PHONY: drill
drill: build ## Rehearse restores in it: make drill RESOURCE=arn:aws:dynamodb:us-east-1:123456789012:table/orders (PLACE=us-west-2)
	$(PYTHON) -m local.drilling $(if $(RESOURCE),--resource "$(RESOURCE)") $(if $(PLACE),--place "$(PLACE)")

# An example without FILE. docs/cost.md says how to write the files.
.PHONY: estimate
estimate: .venv/made ## What protecting data will cost a month: make estimate FILE=mine.json (PLAN=, PRICES=)
	@$(PYTHON) -m local.estimate $(FILE) $(if $(PLAN),--plan $(PLAN)) $(if $(PRICES),--prices $(PRICES))

.PHONY: bench
bench: build ## How fast and how large, as ratios
	$(PYTHON) -m local.bench

##@ Change it

.PHONY: test
test: build ## All tests but the long ones (some of them only: make test TESTS=tests/unit)
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile --timeout 300 -m 'not slow and not long' $(TESTS)

.PHONY: prove
prove: build ## The long tests: permissions, a storm, faults, crashes, Lambda's edges (TESTS= as above)
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile --timeout 600 -m 'long and not slow' $(TESTS)

# What the default run does with few examples, with many. restic is compared where it is installed.
.PHONY: soak
soak: build ## The long proofs: 5,000 examples each, 1,000 copies, restic, planted bugs, a million backups
	@command -v restic >/dev/null || echo 'There is no restic here: the comparison with it is skipped.' \
		'On Debian and Ubuntu: "apt-get install restic".'
	HYPOTHESIS_PROFILE=long $(PYTHON) -m pytest --numprocesses auto --timeout 1800 -m 'not slow and not long' $(PROPERTIES)
	$(PYTHON) -m pytest --numprocesses auto --timeout 1800 -m slow -rP tests/differential \
		tests/integration/test_copies_arrive.py
	$(MAKE) --no-print-directory mutants gates
	$(PYTHON) -m local.bench.retention
	$(PYTHON) -m pytest --numprocesses auto --timeout 1800 -m slow tests/simulation tests/e2e
	$(MAKE) --no-print-directory simulate faults

.PHONY: faults
faults: .venv/made ## Every fault of every call, and a crash at every call
	$(PYTHON) -m pytest --numprocesses auto --dist load --timeout 1800 -m slow tests/faults \
		tests/contract/test_retries.py

# A seed that fails is replayed, call by call, by the command that is printed with it.
.PHONY: simulate
simulate: .venv/made ## Random nights with faults, in memory: make simulate RUNS=10000 SEED=1
	$(PYTHON) -m tests.simulation --runs $(RUNS) --seed $(SEED)

RUNS := 10000
SEED := 1

.PHONY: mutants
mutants: .venv/made ## Planted bugs in pruning and copying, and which test catches each
	$(PYTHON) -m tests.mutation

PROPERTIES := tests/unit/test_retention.py tests/unit/test_pruning.py tests/unit/test_spans.py \
	tests/integration/test_prune.py

.PHONY: lint
lint: .venv/made .cache/sam/made ## Style and mistakes in the code, and what is wrong or insecure in the templates
	$(PYTHON) -m ruff check $(CODE)
	@$(MAKE) --no-print-directory cfn-lint checkov
	$(SAM) validate --lint --template-file template.yaml

.PHONY: cfn-lint
cfn-lint: .venv/made
	.venv/bin/cfn-lint $(TEMPLATES)

# Exceptions are comments where they apply: "checkov:skip=" and the check's name, and the reason.
.PHONY: checkov
checkov: .cache/checkov/made
	$(CHECKOV) --file $(TEMPLATES)

.PHONY: gates
gates: .venv/made .cache/checkov/made .cache/audit/made ## Planted mistakes and vulnerabilities, which lint and audit have to find
	PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest --numprocesses auto --dist loadfile --timeout 300 -m slow tests/gates

# Not in `make pr`: it needs the network, and what it finds changes from day to day while nothing changes here.
.PHONY: audit
audit: .venv/made .cache/audit/made ## Known vulnerabilities of all pinned versions, asked of osv.dev (not part of make pr)
	$(PYTHON) -m local.audit $(LAYERS:=/requirements.txt) requirements-*.txt

.PHONY: types
types: .venv/made ## Types, strictly
	$(PYTHON) -m mypy $(CODE)

.PHONY: format
format: .venv/made ## Put the code into its form
	$(PYTHON) -m ruff format $(CODE)
	$(PYTHON) -m ruff check --fix $(CODE)

.PHONY: format-check
format-check: .venv/made
	$(PYTHON) -m ruff format --check $(CODE)

.PHONY: build
build: .aws-sam/made ## What is deployed, in .aws-sam/build

.PHONY: requirements
requirements: $(UV) ## Write the exact versions anew, after a change of a requirements*.in
	for layer in $(LAYERS); do \
		(cd $$layer && ../../$(UV) $(COMPILE) requirements.in --output-file requirements.txt) || exit; done
	for name in dev sam checkov audit; do \
		$(UV) $(COMPILE) requirements-$$name.in --output-file requirements-$$name.txt || exit; done

COMPILE := pip compile --quiet --python-version 3.13 --no-emit-index-url --no-header

# One after the other, also with -j: each is only worth its time when those before it have passed.
.PHONY: pr
pr: ## Everything that has to pass before a change goes in
	@for target in format-check lint types build test prove demo; do \
		echo "== make $$target"; $(MAKE) --no-print-directory $$target || exit; done

.PHONY: clean
clean: ## Remove all that was made here
	rm -rf .venv .cache .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find functions layers local tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The environments and the build

$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { \
		echo 'python3 is missing or older than 3.9. Get one from your system, as with "apt-get install python3".'; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'This python3 cannot make environments. On Debian and Ubuntu: "apt-get install python3-venv".'; exit 1; }
	python3 -m venv --clear .cache/uv
	.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/made: requirements-dev.txt | $(UV)
	@$(call environment,.venv,requirements-dev.txt)

.cache/sam/made: requirements-sam.txt | $(UV)
	@$(call environment,.cache/sam,requirements-sam.txt)

.cache/checkov/made: requirements-checkov.txt | $(UV)
	@$(call environment,.cache/checkov,requirements-checkov.txt)

.cache/audit/made: requirements-audit.txt | $(UV)
	@$(call environment,.cache/audit,requirements-audit.txt)

# An environment ($(1)) of exactly what a file ($(2)) names. Marked as made only when all went well. Where uv finds no
# packages, pip may: it also reads the machine's own configuration, with its mirrors.
define environment
python=$$($(FIND_PYTHON)); echo "$(1): from $(2), with Python $$python"; \
$(UV) venv --quiet --clear --seed --python "$$python" $(1) || { \
	echo 'There is no Python 3.13 here, and uv could not fetch one. Install it (python.org, pyenv, your system).'; \
	exit 1; }; \
{ $(UV) pip sync --quiet --python $(1)/bin/python $(2) || \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(2); } && touch $@
endef

.aws-sam/made: $(SOURCES) .cache/sources | .venv/made .cache/sam/made
# The layer's Makefile takes python3.13 and its pip from the PATH: those of .venv, whose versions are pinned.
	MAKEFLAGS= MAKELEVEL= PATH="$(CURDIR)/.venv/bin:$$PATH" $(SAM) build
	@touch $@

.cache/sources: FORCE
	@mkdir -p $(@D); printf '%s\n' $(SOURCES) | cmp -s - $@ || printf '%s\n' $(SOURCES) > $@

.PHONY: FORCE
FORCE:
