"""Benchmarks: each one command that prints JSON; docs/benchmarks.md has the figures."""
