"""A source opened as early as can be: its framework takes seconds to start, while the rest of us can be imported."""

from contextlib import ExitStack
from pathlib import Path

from exporter.building.versions import source_key
from exporter.sources.open import FrameworkSource, LoadOptions, Source, open_source
from exporter.store import Store

SLOW_TO_HASH_BYTES = 100_000_000
"""Of a file this big the store is asked while the framework starts already: its key needs the hash."""


def open_ahead(path: Path, options: LoadOptions) -> Source:
    """The opened source; its framework starts now, unless the store has the Graph.

    Raises:
        SourceError, UsageError: As `open_source`.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_source(path, options))
        if isinstance(source, FrameworkSource):
            if path.stat().st_size > SLOW_TO_HASH_BYTES:
                source.begin()
            with Store() as store:
                known = store.get("graph", source_key(source.info.sha256, options, store)) is not None
            if known:
                source.close()
            else:
                source.begin()
        stack.pop_all()
    return source
