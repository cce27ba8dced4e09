"""The engines that run written files, each a `Session` class that a child process serves; start one with `runtimes.run.open_engine`."""
