"""The width of a layer against its latency on an engine: where the stairs are, and where narrower pays."""
