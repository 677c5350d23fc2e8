"""The guard. The harness calls it; no plugin can.

Everything here trusts only the corpus table: partitions, segments and records are checked against
it.
"""
