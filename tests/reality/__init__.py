"""The proof in reality: worker processes, real servers, faults, and a checker that goes over what they saw.

`history.py` what is written down, `facts.py` what follows from it, `checker.py` what must hold, `figures.py` what is measured, `story.py`
how it came to a violation; `source.py` the source of truth, `worker.py` a process under test, `workload.py` what it does, `subject.py`
the cache in it; `ground.py` server, networks and workers together, `crew.py` the workers from outside, `faults.py` what goes wrong when.
"""
