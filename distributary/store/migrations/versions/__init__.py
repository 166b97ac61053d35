"""Revisions, named by a rising number."""
