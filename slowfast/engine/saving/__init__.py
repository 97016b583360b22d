"""What a run keeps: its state, checkpoints, and the weights it starts from."""
