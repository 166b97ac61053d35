"""Datanets: named collections of documents, whose every state is an immutable manifest."""
