"""Distributary: a streaming pipeline with batch settlement for paid AI inference."""

__version__ = "0.1.0"
