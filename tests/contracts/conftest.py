"""The contracts' own suite, in boa/, runs in the contracts' own environment."""

collect_ignore = ["boa"]
