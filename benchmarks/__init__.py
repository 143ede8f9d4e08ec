"""What things cost: ratios taken in one run, in CPU time. `python -m benchmarks` prints the table; see README.md beside this file."""
