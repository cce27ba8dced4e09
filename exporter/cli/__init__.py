"""The command line: one small file a command, each words in, one library call, words out; `exporter.cli.app` has them all.

Nothing heavy is imported before a command runs: `mexport --help` must answer at once.
"""
