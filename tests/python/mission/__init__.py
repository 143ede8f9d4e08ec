"""Owns: the mission document and its snippets, restored, and how they are made to run."""
