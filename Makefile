# make demo: from nothing to a trained and tested toy model.  make test: lint and tests.  make help: the rest.
PYTHON ?= python3
VENV ?= .venv
TOY ?= data/toy
FAULTS ?= 50
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-gpu test-faults test-slurm reproduce lint format clean

help:
	@echo "make install            a virtual environment in $(VENV) with everything in it"
	@echo "make demo               toy data set, toy XViT trained and tested on the CPU"
	@echo "make test               ruff (format, lint) and the tests that need no GPU"
	@echo "make test-gpu           the tests that need a CUDA device"
	@echo "make test-faults        runs killed at 50 moments (FAULTS=..), lost nodes, damaged shards (minutes)"
	@echo "make test-slurm         jobs on a SLURM that is started here: preempted, crashed, swept (root, Debian; minutes)"
	@echo "make reproduce NAME=..  a claim over several seeds; its JSON goes to docs/results/"
	@echo "make format             let ruff format and mend the code"

install: $(INSTALLED)

$(INSTALLED): setup.py requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python tools/prepare/make_toy_dataset.py --out $(TOY)
	$(BIN)/python tools/run_net.py --cfg configs/Toy/xvit_toy.yaml DATA.PATH_TO_DATA_DIR $(TOY)

test: $(INSTALLED) lint
	$(BIN)/python -m pytest -m "not gpu and not faults" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-gpu: $(INSTALLED)
	$(BIN)/python -m pytest -m gpu $(PYTEST_ARGS)

test-faults: $(INSTALLED)
	$(BIN)/python -m pytest -m faults $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/distributed/test_kill.py --faults $(FAULTS) $(PYTEST_ARGS)

test-slurm: $(INSTALLED)
	tests/slurm/install.sh
	$(BIN)/python -m pytest tests/slurm --slurm $(PYTEST_ARGS)

reproduce: $(INSTALLED)
	$(BIN)/python tools/reproduce.py $(NAME)

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) outputs data
