"""Random small Graphs with every kind of tie, cut at random shares: always equal to the zeroed Graph."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.channel_graphs import KINDS, random_net
from tests.pruning.cut import prune


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from((4, 6, 8, 12))), min_size=2, max_size=9),
    share=st.sampled_from((0.3, 0.5, 0.75)),
    seed=st.integers(0, 1000),
)
def test_any_graph(blocks: list[tuple[str, int]], share: float, seed: int):
    writer = random_net(blocks, seed)
    prune(writer.text(), writer.inits, share=share, channel_step=1)
