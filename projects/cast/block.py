"""One block of CAST: a block of each expert with its adapters, and between them the exchange."""

# B clips, T time steps, S places, D width; spatial tokens (B * T, 1 + S, D), temporal tokens (B, T * S, D)
import torch
import torch.nn.functional as F
from torch import nn

from projects.cast.cross_attention import AcrossSpace, AcrossTime
from projects.cast.layers import Adapter, ClipAttention, ClipMlp
from slowfast.models.layers.attention import Attention
from slowfast.models.layers.drop_path import DropPath
from slowfast.models.layers.mlp import Mlp

CLIP_NORM_EPS = 1e-5
VIDEOMAE_NORM_EPS = 1e-6


class CastBlock(nn.Module):
    """Self-attention of both experts, exchange, MLPs of both; state-dict keys as released.

    Stochastic depth is drawn per clip in both streams, for the exchange and the MLPs' adapters alone: the experts
    themselves are never dropped. The released code drew it per token position in the spatial stream, an oversight.

    Args:
        dim: D.
        num_heads: of both experts and of the exchange.
        grid: (T, rows, columns) that the exchange's positions are made for.
        mlp_ratio: width of the temporal expert's MLP over dim; the spatial one's is always 4.
        adapter_ratio: width of the adapters' middle over dim.
        mlp_adapter_scale: factor on the adapters beside the MLPs.
        down_ratio: dim over the width in which the experts exchange; None: they do not.
        drop_path: probability that a clip skips a dropped branch in training.
    """

    def __init__(
        self,
        dim,
        num_heads,
        grid,
        *,
        mlp_ratio=4.0,
        adapter_ratio=0.25,
        mlp_adapter_scale=0.5,
        down_ratio=2,
        drop_path=0.0,
    ):
        super().__init__()
        self.mlp_adapter_scale = mlp_adapter_scale
        self.clip_ln_1 = nn.LayerNorm(dim, eps=CLIP_NORM_EPS)
        self.clip_attn = ClipAttention(dim, num_heads)
        self.S_Adapter = Adapter(dim, adapter_ratio, skip=True)
        self.norm1 = nn.LayerNorm(dim, eps=VIDEOMAE_NORM_EPS)
        self.attn = Attention(dim, num_heads, key_bias=False)
        self.T_Adapter = Adapter(dim, adapter_ratio, skip=True)
        self.exchanges = down_ratio is not None
        if self.exchanges:
            self._add_exchange(dim, int(dim / down_ratio), num_heads, grid)
        self.clip_ln_2 = nn.LayerNorm(dim, eps=CLIP_NORM_EPS)
        self.clip_mlp = ClipMlp(dim)
        self.S_MLP_Adapter = Adapter(dim, adapter_ratio, skip=False)
        self.norm2 = nn.LayerNorm(dim, eps=VIDEOMAE_NORM_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.T_MLP_Adapter = Adapter(dim, adapter_ratio, skip=False)
        self.drop_path = DropPath(drop_path)

    def _add_exchange(self, dim, width, num_heads, grid):
        self.cross_s_down = nn.Linear(dim, width)
        self.cross_t_down = nn.Linear(dim, width)
        self.ln_s_cross = nn.LayerNorm(width, eps=VIDEOMAE_NORM_EPS)
        self.ln_t_cross = nn.LayerNorm(width, eps=VIDEOMAE_NORM_EPS)
        self.t2s_cross = AcrossTime(width, num_heads, grid)
        self.s2t_cross = AcrossSpace(width, num_heads, grid)
        self.cross_s_up = nn.Linear(width, dim)
        self.cross_t_up = nn.Linear(width, dim)

    def forward(self, streams):
        """streams: (space (B * T, 1 + S, D), time (B, T * S, D), grid (T, rows, columns)) -> the same."""
        space, time, grid = streams
        space = space + self.S_Adapter(self.clip_attn(self.clip_ln_1(space)))
        time = time + self.T_Adapter(self.attn(self.norm1(time)))
        if self.exchanges:
            space, time = self.exchange(space, time, grid)
        normed = self.clip_ln_2(space)
        space = space + self.clip_mlp(normed) + self._drop(self.mlp_adapter_scale * self.S_MLP_Adapter(normed), time)
        normed = self.norm2(time)
        time = time + self.mlp(normed) + self._drop(self.mlp_adapter_scale * self.T_MLP_Adapter(normed), time)
        return space, time, grid

    def exchange(self, space, time, grid):
        """Both experts with what the other told them; shapes as in forward.

        Both directions read the tokens from before the exchange. Class tokens ask nobody, but go through the
        bottleneck with the patches.
        """
        class_token, places, moments = self.bottleneck(space, time, grid)
        to_space = self.t2s_cross(places, moments, grid)  # (B, T, S, D')
        to_space = torch.cat([class_token, to_space.flatten(0, 1)], dim=1)  # (B * T, 1 + S, D')
        to_time = self.s2t_cross(moments, places, grid).flatten(1, 2)  # (B, T * S, D')
        space = space + self._drop(self.cross_s_up(F.gelu(to_space)), time)
        return space, time + self._drop(self.cross_t_up(F.gelu(to_time)), time)

    def bottleneck(self, space, time, grid):
        """class tokens (B * T, 1, D'), spatial tokens (B, T, S, D'), temporal tokens (B, T, S, D'), all normalised."""
        space, time = self.ln_s_cross(self.cross_s_down(space)), self.ln_t_cross(self.cross_t_down(time))
        return space[:, :1], space[:, 1:].unflatten(0, (-1, grid[0])), time.unflatten(1, (grid[0], -1))

    def _drop(self, update, time):
        """Stochastic depth for either stream, one draw a clip."""
        return self.drop_path(update.unflatten(0, (len(time), -1))).flatten(0, 1)
