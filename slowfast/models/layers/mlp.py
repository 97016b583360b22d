"""The two-layer perceptron of a transformer block."""

from torch import nn


class Mlp(nn.Module):
    """Linear, exact GELU, Linear, with drop-out after each; state-dict keys fc1.*, fc2.*.

    Args:
        dim: width D of the tokens.
        hidden_dim: width between the layers.
        dropout: drop-out after the activation and after the second layer.
    """

    def __init__(self, dim, hidden_dim, *, dropout=0.0):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        """x: (..., D) -> (..., D)."""
        x = self.drop(self.act(self.fc1(x)))
        return self.drop(self.fc2(x))
