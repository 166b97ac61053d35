"""Reward lines, leaves and root from Parquet and manifest, in plain integers."""
