from exporter.building.clock import Clock, process_age_s


def test_what_proves_is_left_out():
    clock = Clock(started_s=1.0)
    for name in ("load", "run", "load"):
        with clock.stage(name):
            pass
    clock.own |= {"load": 2.0, "run": 30.0}
    numbers = {n["name"]: n["value"] for n in clock.numbers()}
    assert numbers["seconds_verify_excluded"] == 3.0
    assert numbers["seconds_run"] == 30.0
    assert numbers["peak_rss_verify_excluded"] > 2**20


def test_a_target_has_the_common_stages_and_its_own():
    common = Clock(started_s=1.0)
    one, other = common.fork(), common.fork()
    with one.stage("write"):
        pass
    with common.stage("reference"):
        pass
    assert set(one.seconds()) == {"start", "reference", "write"}
    assert set(other.seconds()) == {"start", "reference"}


def test_age_of_this_process():
    assert 0 < process_age_s() < 24 * 3600
