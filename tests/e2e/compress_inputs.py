"""The recipe of the tests of `compress`."""

RECIPE = """
[[pass]]
name = "PruneChannels"
macs = 0.5

[[pass]]
name = "Distill"
epochs = 2
batch = 32
"""
