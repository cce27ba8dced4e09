"""A source opened as early as can be: its framework takes seconds to start, while the rest of us can be imported."""

from pathlib import Path

from exporter.building.versions import source_key
from exporter.sources.open import FrameworkSource, LoadOptions, Source, open_source
from exporter.store import Store


def open_ahead(path: Path, options: LoadOptions) -> Source:
    """The opened source; its framework starts now, unless the store has the Graph.

    Raises:
        SourceError, UsageError: As `open_source`.
    """
    source = open_source(path, options)
    if isinstance(source, FrameworkSource):
        with Store() as store:
            if store.get("graph", source_key(source.info.sha256, options, store)) is None:
                source.begin()
    return source
