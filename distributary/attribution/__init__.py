"""Attribution: how one answer's data share divides over documents, in integers.

Triton's own environment imports this package, so it needs nothing but the standard library; the
index alone also needs numpy.
"""
