# Two commands are all one needs: `make train` and `make test`. Both install what they need into .venv the first time,
# change nothing the second time, and work offline from then on.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
unexport PYTHONDONTWRITEBYTECODE  # many processes import the same files
# Processes that run tests: three for two cores, since many tests wait for a process, a signal or a limit.
WORKERS ?= 3

.PHONY: installed train test test-oldest test-pythons test-cuda lint bench bench-peers bench-mixed gpu reproduce experiments figures docs package release soak clean

train: $(VENV)/installed-train
	$(BIN)/genreg-np train $(ARGS)

# One thread each for products: threads of several processes that wait for each other waste both cores.
TESTED := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

test: $(VENV)/installed-dev
	$(TESTED) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# The tests that touch the command line and what it reads, with the oldest packages that pyproject.toml allows (which have
# no wheels for newer Pythons), and with the newest on every Python but that of `make test`: a minute each.
TOUCHING := tests/cli/test_terminal.py tests/cli/test_commands.py tests/cli/test_train.py tests/cli/test_eval_and_infer.py \
  tests/data tests/test_infer.py
OLD_PYTHON ?= $(shell command -v python3.11 || command -v python3.12)

test-oldest: .venv-oldest/installed
	$(TESTED) .venv-oldest/bin/python -m pytest -n $(WORKERS) $(TOUCHING) $(ARGS)

# pyenv has a command for every Python that it keeps, which runs where its version is chosen.
PYENV := export PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd:)"

test-pythons:
	@$(PYENV); own=$$($(BIN)/python -c 'import sys; print("python3.%d" % sys.version_info[1])' 2>/dev/null); \
	for python in python3.11 python3.12 python3.13 python3.14; do \
	  if [ $$python = "$$own" ]; then echo "$$python: make test runs all tests with it"; \
	  elif $$python -c '' 2>/dev/null; then $(MAKE) --no-print-directory test-$$python || exit 1; \
	  else echo "$$python: not on PATH, not tested"; fi; done

test-python3.%: .venv-python3.%/installed
	$(TESTED) .venv-python3.$*/bin/python -m pytest -n $(WORKERS) $(TOUCHING) $(ARGS)

# Also compiles the CUDA kernels, which needs NVIDIA's compiler (90 MB) but no GPU.
test-cuda: $(VENV)/installed-dev
	@$(BIN)/python -m pip install --quiet --group cuda-compiler
	$(BIN)/python -m pytest tests/test_cuda.py $(ARGS)

# All that tests, lint and the site need, so that .venv stays as it is while they run side by side; `make test` then
# compiles the CUDA kernels, too.
installed: $(VENV)/installed-dev $(VENV)/installed-docs
	@$(BIN)/python -m pip install --quiet --group cuda-compiler

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Speed, start-up, memory and time to accuracy of ours alone, then the pages; about ten minutes on two quiet cores.
bench: $(VENV)/installed-bench
	$(BIN)/python bench/run.py $(ARGS)
	$(BIN)/python bench/figures.py

# The same beside evosax, EvoTorch and PyGAD in an environment of their own; half an hour, and 20 GB of memory.
PEERS ?= .venv-peers/bin/python
bench-peers: $(VENV)/installed-bench $(PEERS)
	$(BIN)/python bench/run.py --peers $(PEERS) $(ARGS)
	$(BIN)/python bench/figures.py

# Mixed evolution against PyTorch, beside what was published, and recipes for variety; five seeds, some hours.
bench-mixed: $(VENV)/installed-bench $(PEERS)
	$(BIN)/python bench/mixed.py --peers $(PEERS) $(ARGS)
	$(BIN)/python bench/figures.py

.venv-peers/bin/python:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement bench/peers/requirements.txt || { rm -rf .venv-peers; exit 1; }

# The accuracies of the pages, then the pages. Measured again is what ARGS names, e.g. ARGS="fast --anew";
# all of it takes hours on two cores. PyTorch's rungs also need --peers .venv-peers/bin/python, of `make bench-peers`.
reproduce: $(VENV)/installed-bench
	$(BIN)/python bench/ladder.py $(ARGS)
	$(BIN)/python bench/figures.py

# The studies of GENREG's open questions, with their pages in docs/experiments, and docs/answers.md. What is measured is not measured again; all
# of it takes two hours on two cores. E.g. STUDIES=letters ARGS="--seeds 5".
STUDIES ?= capacity mutation signal letters curriculum embedding multitask continual structure theory
experiments: $(VENV)/installed-bench
	for study in $(STUDIES); do $(BIN)/genreg-np experiment $$study --out docs/experiments $(ARGS) || exit 1; done
	$(BIN)/python bench/figures.py

# The tables and plots of all pages, from the results.
figures: $(VENV)/installed-bench
	$(BIN)/python bench/figures.py

# The documentation as a site: docs/_build/html/index.html. A warning is an error; a few minutes.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html $(ARGS)
	@echo "docs/_build/html/index.html"

# Wheel and sdist in dist/, checked.
package: $(VENV)/installed-dev
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist . >/dev/null
	@$(BIN)/python -m twine check --strict dist/*

# The same, installed under every Python that is found, in an empty place, where they train and predict.
release: package
	@$(PYENV); for python in python3.11 python3.12 python3.13 python3.14; do \
	  if $$python -c '' 2>/dev/null; then \
	    for file in dist/*.whl dist/*.tar.gz; do bash .ci/installed $$python $$file || exit 1; done; \
	  else echo "$$python: not on PATH, not tried"; fi; done

# Whether the GPU path is right on this machine's card, and how fast: eight minutes at most. Needs no environment of ours,
# but a Python with CuPy, NumPy, SciPy, Numba, pytest, hypothesis, click and Pillow; writes bench/results/gpu-NAME.json.
gpu:
	PYTHONPATH=. $(PYTHON) bench/gpu.py $(ARGS)

# The tests that take minutes.
soak: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m soak $(ARGS)

clean:
	rm -rf $(VENV) .venv-oldest .venv-python3.* docs/_build docs/generated dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "genreg-np needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo missing): try make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "this Python cannot make virtual environments: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip || { rm -rf $(VENV); \
	  echo "packages cannot be fetched: the first run needs a network"; exit 1; }

$(VENV)/installed-train: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --only-binary numba,llvmlite --editable '.[train]' 2>$(VENV)/pip.log || { \
	  $(BIN)/python -m pip install --quiet --editable '.[train-pure]' && \
	  echo "numba cannot be installed for this Python: training goes on with NumPy alone, about five times slower"; } || { \
	  cat $(VENV)/pip.log; exit 1; }
	@touch $@

.venv-oldest/installed: pyproject.toml .ci/oldest.py
	@$(OLD_PYTHON) -m venv --clear .venv-oldest
	@.venv-oldest/bin/python .ci/oldest.py train-pure >.venv-oldest/packages.txt
	@.venv-oldest/bin/python -m pip install --quiet --requirement .venv-oldest/packages.txt pytest pytest-xdist hypothesis
	@.venv-oldest/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

.PRECIOUS: .venv-python3.%/installed
.venv-python3.%/installed: pyproject.toml
	@python3.$* -m venv --clear .venv-python3.$*
	@.venv-python3.$*/bin/python -m pip install --quiet --editable '.[train-pure]' pytest pytest-xdist hypothesis
	@touch $@

$(VENV)/installed-docs: pyproject.toml $(VENV)/installed-train
	@$(BIN)/python -m pip install --quiet --group docs
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/installed-train
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(VENV)/installed-bench: pyproject.toml $(VENV)/installed-train
	@$(BIN)/python -m pip install --quiet --group bench
	@touch $@
