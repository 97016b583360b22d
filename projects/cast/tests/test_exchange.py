"""Maps of the exchange against a softmax by hand; centres and correlations of known places; the pictures."""

import av
import cv2
import numpy as np
import pytest
import torch

from projects.cast.exchange_maps import ExchangeMaps, attended_places, attended_times, centres, circular_correlation
from projects.cast.exchange_maps import exchange_maps as maps_of
from projects.cast.exchange_pictures import exchange_film, exchange_grid, write_film, write_png
from projects.cast.tests.sizes import clip, small_cast
from slowfast.utils.errors import ConfigError


@pytest.fixture
def model():
    return small_cast().eval()


def test_maps_equal_a_softmax_by_hand(model):
    """Token by token, from the tokens before the second block."""
    with torch.no_grad():
        space, time, grid = model.blocks[0](model.embed(clip()))
        block = model.blocks[1]
        space = space + block.S_Adapter(block.clip_attn(block.clip_ln_1(space)))
        time = time + block.T_Adapter(block.attn(block.norm1(time)))
        space = block.ln_s_cross(block.cross_s_down(space))[:, 1:].reshape(2, 4, 4, 12)  # without class tokens
        time = block.ln_t_cross(block.cross_t_down(time)).reshape(2, 4, 4, 12)
        found = maps_of(model, clip(), 1)
    assert found.grid == grid == (4, 2, 2)
    t2s, s2t = block.t2s_cross, block.s2t_cross
    for b, place, t in ((0, 1, 3), (1, 2, 0)):
        query = t2s.t2s_q.weight @ (space[b, t, place] + t2s.clip_time_pos[t]) + t2s.t2s_q_bias
        keys = [
            t2s.t2s_kv.weight[:12] @ (time[b, u, place] + t2s.vmae_time_pos[u]) + t2s.t2s_kv_bias[:12] for u in range(4)
        ]
        expected = [torch.softmax(torch.stack([query[h] @ key[h] / 2 for key in keys]), 0) for h in _heads()]
        torch.testing.assert_close(found.times[b, place, t], torch.stack(expected).mean(0))
        query = s2t.s2t_q.weight @ (time[b, t, place] + s2t.vmae_space_pos[place]) + s2t.s2t_q_bias
        keys = [
            s2t.s2t_kv.weight[:12] @ (space[b, t, s] + s2t.clip_space_pos[s]) + s2t.s2t_kv_bias[:12] for s in range(4)
        ]
        expected = [torch.softmax(torch.stack([query[h] @ key[h] / 2 for key in keys]), 0) for h in _heads()]
        torch.testing.assert_close(found.places[b, t, place], torch.stack(expected).mean(0))


def _heads():
    """Slices of 3 heads in a bottleneck of 12."""
    return [slice(4 * h, 4 * h + 4) for h in range(3)]


def test_maps_sum_to_one_and_change_nothing(model):
    before = model(clip())
    maps = maps_of(model, clip())
    assert torch.equal(model(clip()), before)
    for weights in (maps.times, maps.places):
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
    torch.testing.assert_close(attended_places(maps).sum(dim=-1), torch.ones(2, 4))
    torch.testing.assert_close(attended_times(maps).sum(dim=1), torch.ones(2, 4))


def test_a_block_that_does_not_exchange():
    model = small_cast(exchange_blocks=[1])
    assert maps_of(model, clip()).grid == (4, 2, 2)
    with pytest.raises(ConfigError, match=r"VIS\.BLOCK 2: the blocks that exchange are \[1\]"):
        maps_of(model, clip(), 2)
    with pytest.raises(ConfigError, match="are none"):
        maps_of(small_cast(exchange_blocks=[]), clip())


def test_centres_and_correlation():
    grid = (1, 4, 8)
    weights = torch.zeros(4, 8)
    weights[2, 7] = weights[2, 0] = 3.0  # across the glued border
    x, y = centres(weights.flatten(), grid)
    assert (x.angle() / (2 * torch.pi) % 1).item() == pytest.approx(1, abs=1e-9) or x.angle().abs() < 1e-9
    assert (y.angle() / (2 * torch.pi) % 1).item() == pytest.approx(2.5 / 4) and y.abs().item() == pytest.approx(1)
    positions = torch.rand(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = torch.polar(torch.full_like(positions, 0.1), 2 * torch.pi * positions)
    assert circular_correlation(exact, positions) == pytest.approx(1)
    assert circular_correlation(-exact, positions) == pytest.approx(-1)
    assert abs(circular_correlation(exact.roll(1, dims=0), positions)) < 0.15


def test_pictures(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (8, 40, 40, 3), np.uint8)
    maps = ExchangeMaps(torch.full((1, 4, 4, 4), 0.25), torch.full((1, 4, 4, 4), 0.25), (4, 2, 2))
    maps.places[0, 2, :] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    grid = exchange_grid(frames, maps)
    assert grid.shape[0] == (2 + 4) * (112 + 4) and grid.shape[1] == 84 + 4 + 4 * (112 + 4)
    seen, asked = (grid[y : y + 112, 88 + 2 * 116 : 88 + 2 * 116 + 112].astype(float) for y in (0, 116))  # third time
    assert np.array_equal(asked[:56], seen[:56])  # less than their even share
    expected = 0.25 * seen[56:, 56:] + 0.75 * np.array([255, 96, 0])
    assert np.abs(asked[56:, 56:] - expected).max() <= 1
    write_png(tmp_path / "a.png", grid)
    assert (cv2.imread(str(tmp_path / "a.png"))[..., ::-1] == grid).all()
    write_film(tmp_path / "a.mp4", exchange_film(frames, maps))
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert len(list(film.decode(video=0))) == 8
