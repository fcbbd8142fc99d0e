"""Asking an agent: the question goes to its adapter and to the shared base, the answers to a log beside the run."""
