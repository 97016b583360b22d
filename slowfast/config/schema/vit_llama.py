"""VIT_LLAMA: frozen layers of a language model behind the plain video transformer of VIDEO_VIT."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.VIT_LLAMA = CfgNode()
    cfg.VIT_LLAMA.PATH = (
        ""  # folder or file of LLaMA's weights: Meta's consolidated.*.pth or Hugging Face's safetensors
    )
    cfg.VIT_LLAMA.RANDOM = False  # True: PATH "" leaves the frozen layers as RNG_SEED draws them, a control
    cfg.VIT_LLAMA.FIRST_LAYER = 15  # index, from 0, of the first layer taken from PATH
    cfg.VIT_LLAMA.NUM_LAYERS = 1  # layers taken from there on
    cfg.VIT_LLAMA.LOAD_NORM = False  # take the model's last norm from PATH too; released: False, its weights stay 1
    cfg.VIT_LLAMA.DTYPE = "fp32"  # fp32 | bf16 | int8: how frozen weights are held; computation follows TRAIN.PRECISION
    # Sizes of the language model; the defaults are LLaMA-7B's.
    cfg.VIT_LLAMA.DIM = 4096  # token width
    cfg.VIT_LLAMA.NUM_HEADS = 32  # attention heads
    cfg.VIT_LLAMA.NUM_KV_HEADS = 0  # heads of keys and values (LLaMA 2 70B and LLaMA 3: 8); 0 = NUM_HEADS
    cfg.VIT_LLAMA.FFN_DIM = 11008  # hidden width of the feed-forward part
    cfg.VIT_LLAMA.NORM_EPS = 1e-6  # of its norms; LLaMA 2 and 3: 1e-5
    cfg.VIT_LLAMA.BETWEEN = "llama"  # llama | mlp: a GELU and a LayerNorm in place of the layers, a control
