"""The command line: one small file a command, each words in, one library call, words out.

Nothing heavy is imported before a command runs: `mexport --help` must answer at once.
"""

from exporter.cli.app import main

__all__ = ["main"]
