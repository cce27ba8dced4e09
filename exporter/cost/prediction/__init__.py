"""Latency from instruction counts: constants fitted to published tables, judged on nets they have not seen."""
