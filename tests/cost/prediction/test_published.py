import pytest

from exporter.cost.prediction.published import parse, published, slug
from exporter.errors import UsageError

TWO = {
    "source": {"project": "ncnn"},
    "devices": [
        {"name": "pi-5", "aliases": ["bcm2712"], "published_as": "Pi 5 (Cortex-A76)", "core": "cortex-a76", "ms": {"alexnet": 35.2}},
        {"name": "phone-plus", "aliases": [], "published_as": "Phone+", "core": "cortex-a53", "ms": {}},
    ],
    "without_core": {"odd-board": "Odd Board (Core X)"},
}


@pytest.mark.parametrize("name", ["pi-5", "Pi 5", "PI_5", "bcm2712", "BCM2712"])
def test_names_and_aliases_in_any_spelling(name: str) -> None:
    assert parse(TWO).device(name).core == "cortex-a76"


def test_a_plus_is_part_of_a_name() -> None:
    assert slug("Phone+") == "phone-plus"
    assert parse(TWO).device("Phone+").name == "phone-plus"


def test_a_device_without_a_fitted_core_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"odd-board: nothing is fitted .*Odd Board \(Core X\)") as refusal:
        parse(TWO).device("odd-board")
    assert "pi-5" in str(refusal.value.hint)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="unknown device: snapdragon-855-pls") as refusal:
        published().device("snapdragon-855-pls")
    assert refusal.value.hint == "did you mean `snapdragon-855-plus`?"


def test_shipped_tables() -> None:
    """Fourteen tables on three cores, with their source and licence; every name stands for one device only."""
    tables = published()
    assert len(tables.devices) == 14
    assert {d.core for d in tables.devices.values()} == {"cortex-a53", "cortex-a72", "cortex-a76"}
    assert "BSD-3-Clause" in tables.source["licence"]
    assert len(set(tables.names())) == len(tables.names())
    assert not set(tables.names()) & set(tables.without_core)
    assert all(ms > 0 for d in tables.devices.values() for ms in d.ms.values())
    assert tables.devices["raspberry-pi-5"].ms["squeezenet"] == 11.77
