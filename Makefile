# The commands a newcomer needs. Each installs by itself what is missing; a second run does no work twice.
.DEFAULT_GOAL := help
.PHONY: help demo test build lint format bench soak simulate check clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):  *## /\1\t/p' Makefile | expand -t 10

demo:  ## the example application on 127.0.0.1:8000 (DEMO_CHECK=1: drive every feature and end; PORT=8001)
	@DEMO_CHECK=$(DEMO_CHECK) PORT=$(PORT) scripts/demo

test:  ## every test: C++ under sanitizers, Python over real servers, documentation, tiny benchmarks
	@scripts/test

build:  ## the package with its extras fastapi, test and bench in .venv
	@scripts/system_packages build
	@scripts/python_env fastapi test bench

lint:  ## formats and static analysis (TIDY=1: clang-tidy too, minutes; make check does it)
	@TIDY=$(TIDY) scripts/lint

format:  ## rewrite what lint would complain of
	@scripts/lint --fix

bench:  ## measure, next to other caches, and print the table (ARGS="--tiny", ARGS=freshness: what the promise costs and gives)
	@scripts/bench $(ARGS)

soak:  ## worker processes under faults against real servers, checked, until stopped (SECONDS=20 of each run)
	@scripts/system_packages test
	@scripts/python_env fastapi test bench
	@PYTHONPATH=tests .venv/bin/python -m reality.soak $(SECONDS)

check:  ## what only the continuous integration runs: second compiler, every preset, fuzzing, lint
	@scripts/check

simulate:  ## engines, network and Redis in virtual time from fresh seeds until a run fails (SEED=n: from there on)
	@scripts/simulate $(SEED)

clean:  ## remove everything built
	rm -rf build .venv dist
