"""What the vision transformers share: published sizes, checks that sizes fit, the depth at which a parameter sits."""

SIZES = {  # width, blocks, heads
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}
EMBEDDINGS = ("patch_embed.", "cls_token", "pos_embed", "temp_embed")  # how their parameters' names begin


def divisor_problem(part, part_key, whole, whole_key):
    """[a sentence that names the divisors] where `part` does not divide `whole`, [] where it does."""
    if part >= 1 and whole % part == 0:
        return []
    divisors = ", ".join(str(n) for n in range(1, whole + 1) if whole % n == 0)
    return [f"{part_key} {part} must be a divisor of {whole_key} {whole}: {divisors}."]


def multiple_problem(whole, whole_key, part, part_key):
    """[a sentence] where `whole` is no multiple of `part`, [] where it is."""
    if part >= 1 and whole >= part and whole % part == 0:
        return []
    return [f"{whole_key} {whole} must be a multiple of {part_key} {part}."]


def layer_of(name, num_blocks, *, prefix=""):
    """Depth of a parameter for layer-wise learning rates, as BEiT counts it: https://arxiv.org/abs/2106.08254

    Args:
        name: of the parameter in its model.
        num_blocks: L, blocks of the model.
        prefix: where the transformer lies in the model, with its dot.
    Returns:
        0 for patch, class-token and position embeddings, i + 1 for block i, L + 1 for all that follows the blocks.
    """
    inner = name.removeprefix(prefix) if name.startswith(prefix) else ""
    if inner.startswith("blocks."):
        return 1 + int(inner.split(".")[1])
    return 0 if inner.startswith(EMBEDDINGS) else num_blocks + 1
