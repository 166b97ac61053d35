"""The contracts in Vyper, and their compiled artefacts."""
