"""The stages of a build, one file each; `exporter.pipeline` strings them together."""
