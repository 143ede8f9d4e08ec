"""The proof in reality: worker processes, real servers, faults, and a checker that goes over what they saw.

`history.py` what is written down, `checker.py` what must hold, `figures.py` what is measured, `story.py` how it came to a violation, `source.py` the source of truth,
`worker.py` a process under test, `ground.py` servers, networks and workers together, `faults.py` what goes wrong and when.
"""
