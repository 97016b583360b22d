"""Many processes: where each one stands, how they start, agree, fail and leave together."""
