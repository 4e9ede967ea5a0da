# Everything is set up by the targets themselves: Python >= 3.11 with venv, make, and a package registry suffice.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test test-all test-fast check docs install lock clean

install: $(VENV)/.installed

# The lock holds exact versions for Python 3.11 to 3.13; the project itself is installed from this folder.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "lowres_jax needs Python 3.11 or newer; run: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# The whole job on the faces that come with the dependencies; each step says what it does, the last line is the report.
MAIN := $(RUN) -m lowres_jax.main
demo: install
	@echo "The demo takes some three and a half minutes on two cores: 7 steps, then workdirs/demo/report.html."
	@echo "1/7 Fetches seven portraits"
	@$(RUN) -m lowres_jax.pretrained.fetch portraits
	@echo "2/7 Finds and aligns faces by MTCNN and by Haar"
	@$(MAIN) --config=prepare_orl_faces
	@$(MAIN) --config=prepare_orl_faces --config.detector=haar
	@$(MAIN) --config=prepare_portraits
	@echo "3/7 Compares the two detectors"
	@$(MAIN) --config=compare_detectors --workdir=workdirs/demo/detectors
	@echo "4/7 Trains a thin Canny model for 40 steps"
	@$(MAIN) --config=canny:smoke --workdir=workdirs/demo/training \
		--config.steps=40 --config.evaluate_steps=20 --config.log_steps=10 --config.optimizer.learning_rate=1e-3
	@echo "5/7 Compares eight upscalers (the longest step)"
	@$(MAIN) --config=compare --workdir=workdirs/demo \
		--config.upscalers=bilinear,bicubic,srresnet,srgan,esrgan@16,identity@32,initial@32,canny_rgb@32,identity_x8@16
	@echo "6/7 Follows two people in a clip, and names the one who is known"
	@$(RUN) -m lowres_jax.clips.example workdirs/demo/clip
	@$(MAIN) --config=identify --workdir=workdirs/demo/clip \
		--config.gallery=workdirs/demo/clip/known --config.probe=workdirs/demo/clip/walk.mp4
	@echo "7/7 Enlarges a second of that clip"
	@$(MAIN) --config=enhance --config.input=workdirs/demo/clip/walk.mp4 \
		--config.output=workdirs/demo/clip/enlarged --config.stop=1 --config.overwrite=true
	@echo workdirs/demo/report.html

# Two at a time: half of the tests wait for programs of their own. A file's tests stay together, with what they share.
# Most of the time goes into compiling what is run once; XLA is asked to try less hard.
test: install
	XLA_FLAGS="--xla_backend_optimization_level=1 $$XLA_FLAGS" $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not whole"

# With what is worth an hour before a change is called finished: every benchmark once, with tiny settings.
test-all: install
	XLA_FLAGS="--xla_backend_optimization_level=1 $$XLA_FLAGS" $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: install
	XLA_FLAGS="--xla_backend_optimization_level=1 $$XLA_FLAGS" $(RUN) -m pytest -n 2 --dist loadfile -m "not slow and not whole"

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/shellcheck launch/*.sh .ci/run

# The guide, the notebook and the API as a site: workdirs/site/index.html. A warning ends it.
docs: install
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet

lock:
	uv pip compile --universal --python-version 3.11 --extra prepare --extra dev --extra export --extra web --extra beam --extra judges --quiet --no-header \
		pyproject.toml --output-file requirements.txt

clean:
	rm -rf $(VENV) workdirs
