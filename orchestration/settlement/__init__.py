"""Settlement: three small state machines in Postgres that put an epoch's root on the chain."""
