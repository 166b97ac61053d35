"""The chain as this project sees it: a node, the contract, its deployment, and the indexer."""
