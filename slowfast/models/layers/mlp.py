"""The two-layer perceptron of a transformer block."""

from torch import nn


class Mlp(nn.Module):
    """Linear, exact GELU, Linear; state-dict keys fc1.*, fc2.*.

    Args:
        dim: width D of the tokens.
        hidden_dim: width between the layers.
        dropout: drop-out after the second layer.
        hidden_dropout: drop-out after the activation; image transformers have both, VideoMAE the other one alone.
    """

    def __init__(self, dim, hidden_dim, *, dropout=0.0, hidden_dropout=0.0):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = nn.GELU()
        self.hidden_drop = nn.Dropout(hidden_dropout)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        """x: (..., D) -> (..., D)."""
        return self.drop(self.fc2(self.hidden_drop(self.act(self.fc1(x)))))
