"""Serving requests: verify, look up, lease, admit, generate, publish. No Beam, no Triton."""
