"""What runs an epoch from its close to tokens on the chain: schedule, gate and settlement."""
