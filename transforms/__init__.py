"""Beam transforms and sources: wiring only, each calls plain functions of `distributary`."""
