"""The lake: Parquet files that anyone can recompute the money from, and texts apart from them.

Paths in it: `answers/<epoch>/<file>.parquet` as committed bundle by bundle, trusted only where
`lake_files` names them; `epochs/<epoch>/` the closed epoch, canonical, with its manifest; and
`texts/<day>/<file>.parquet` prompts and answers, which expire.
"""
