"""Frozen layers from LLaMA checkpoints of every layout, the types they are held in, and what is refused."""

import json

import pytest
import torch

from slowfast.models import build_model
from slowfast.utils.errors import UserError
from slowfast.weights import load_pretrained, start
from slowfast.weights.llama import load_llama
from slowfast.weights.llama_files import WEIGHTS
from tests.models.sizes import clip_for, small_cfg
from tests.weights.llama_sets import meta_state, to_hugging_face, write_hugging_face, write_meta
from tests.weights.traps import RunsACommand

FIRST = 1  # of the two layers that the small model takes from a set of four


def small(**changes):
    torch.manual_seed(0)
    return build_model(small_cfg("ViTLLaMA", **changes)).eval()


def outputs(model):
    torch.manual_seed(1)
    with torch.no_grad():
        return model.llama(torch.randn(2, 5, 48))


@pytest.fixture
def state():
    return meta_state()


@pytest.fixture
def expected(state):
    """What the layers give with the set's numbers put in by hand."""
    model = small()
    own = dict(model.llama.layers.named_parameters())
    for name, parameter in own.items():
        index, _, rest = name.partition(".")
        parameter.data.copy_(state[f"layers.{int(index) + FIRST}.{rest}"])
    return outputs(model)


LAYOUTS = {
    "consolidated": lambda folder, state: write_meta(folder, state),
    "sliced": lambda folder, state: write_meta(folder, state, slices=2),
    "single": lambda folder, state: write_hugging_face(folder, to_hugging_face(state)),
    "sharded": lambda folder, state: write_hugging_face(folder, to_hugging_face(state), shards=3),
    "meta_names": lambda folder, state: write_hugging_face(folder, state, shards=3),
}


def bin_files(folder, state):
    folder.mkdir()
    torch.save(to_hugging_face(state), folder / "pytorch_model.bin")
    return folder


def bare(folder, state):
    """Without the language model's head, without settings, with the older name of a rotary table."""
    renamed = {name.removeprefix("model."): tensor for name, tensor in to_hugging_face(state).items()}
    renamed["layers.1.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    write_hugging_face(folder, renamed)
    (folder / "config.json").unlink()
    return folder


def old_pickle(folder, state):
    folder.mkdir()
    torch.save(state, folder / "consolidated.00.pth", _use_new_zipfile_serialization=False)
    return folder


def one_file(folder, state):
    return write_hugging_face(folder, to_hugging_face(state)) / "model.safetensors"


def the_index(folder, state):
    return write_hugging_face(folder, to_hugging_face(state), shards=3) / "model.safetensors.index.json"


OTHERS = {function.__name__: function for function in (bin_files, bare, old_pickle, one_file, the_index)}


@pytest.mark.parametrize("layout", [*LAYOUTS, *OTHERS])
def test_every_layout_gives_the_same_layers(tmp_path, state, expected, layout):
    """Hugging Face's order of rows within a head changes nothing without rotary positions."""
    path = (LAYOUTS | OTHERS)[layout](tmp_path / layout, state)
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_llama(model, path, first_layer=FIRST)
    torch.testing.assert_close(outputs(model), expected, rtol=1e-5, atol=1e-5)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith("llama.layers.")}
    assert "layer 1 to 2" in model.frozen_source and str(path) in model.frozen_source


def test_the_published_key_map(reference_dir):
    maps = json.loads((reference_dir / "parity/checkpoint_key_maps.json").read_text())
    published = maps["llama_consolidated_to_vit_llama"]["patterns"]
    ours = {
        f"layers.{{j}}.{meta}.weight": f"llama.layers.{{j-first_layer}}.{name}.weight"
        for name, (meta, _, _) in WEIGHTS.items()
    }
    assert ours == {name: target for name, target in published.items() if target}


def test_the_last_norm_only_where_asked(tmp_path, state):
    for layout, write in LAYOUTS.items():
        model = small()
        load_llama(model, write(tmp_path / layout, state), first_layer=FIRST, load_norm=True)
        assert torch.equal(model.llama.norm.weight, state["norm.weight"].float())


@pytest.mark.parametrize("storage, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.int8)])
@pytest.mark.parametrize("layout", ["sliced", "sharded"])
def test_types(tmp_path, state, expected, layout, storage, dtype):
    model = small(VIT_LLAMA__DTYPE=storage)
    load_llama(model, LAYOUTS[layout](tmp_path / "set", state), first_layer=FIRST)
    own = {name: parameter for name, parameter in model.llama.named_parameters() if not name.endswith("scale")}
    assert {parameter.dtype for name, parameter in own.items() if parameter.ndim == 2} == {dtype}
    found = outputs(model)
    assert (found - expected).norm() <= 0.01 * expected.norm()
    assert (found - expected).abs().max() <= 0.02 * expected.abs().max()


def test_a_whole_checkpoint_into_an_int8_model():
    """As released ViT-LLaMA checkpoints hold them: floating, under this model's own names."""
    model, packed = small(), small(VIT_LLAMA__DTYPE="int8")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    report = load_pretrained(packed, model.state_dict())
    assert not report.unfilled and packed.llama.layers[0].attention.wq.weight.dtype == torch.int8
    difference = outputs(packed) - outputs(model)
    assert 0 < difference.norm() <= 0.01 * outputs(model).norm()


def test_keys_of_the_configuration(tmp_path, state, expected):
    folder = LAYOUTS["sharded"](tmp_path / "set", state)
    cfg = small_cfg("ViTLLaMA", VIT_LLAMA__PATH=str(folder), VIT_LLAMA__FIRST_LAYER=FIRST)
    model = small()
    (text,) = start(model, cfg)
    assert "2 of 3" not in text and "held as fp32, without the last norm" in text
    torch.testing.assert_close(outputs(model), expected, rtol=1e-5, atol=1e-5)


def test_no_weights_named():
    with pytest.raises(UserError, match=r"VIT_LLAMA\.PATH is empty: .*huggingface\.co.*VIT_LLAMA\.RANDOM True"):
        start(small(), small_cfg("ViTLLaMA"))
    model = small()
    before = outputs(model)
    assert "random" in start(model, small_cfg("ViTLLaMA", VIT_LLAMA__RANDOM=True))[0]
    assert torch.equal(outputs(model), before) and "RNG_SEED 1" in model.frozen_source
    assert start(small(VIT_LLAMA__BETWEEN="mlp"), small_cfg("ViTLLaMA", VIT_LLAMA__BETWEEN="mlp")) == []


def test_settings_that_differ_only_in_eps_are_told(tmp_path, state):
    folder = write_hugging_face(tmp_path / "set", to_hugging_face(state), rms_norm_eps=1e-5)
    assert "norm eps of 1e-05" in load_llama(small(), folder, first_layer=FIRST)[1]


def without(state, part):
    return {name: tensor for name, tensor in state.items() if part not in name}


BAD_SETS = {
    "no such folder": (lambda folder, state: folder, r"set does not exist; it takes a local folder or file"),
    "nothing": (lambda folder, state: folder.mkdir() or folder, r"set holds nothing, but none of .*consolidated"),
    "no layer": (
        lambda folder, state: write_meta(folder, without(state, "layers.2.")),
        r"holds the layers 0 to 3 \(3 of them\), not layer 2\.$",
    ),
    "no layers at all": (
        lambda folder, state: write_hugging_face(folder, {"vit.weight": torch.ones(2, 2)}),
        r"holds no LLaMA layers: vit\.weight",
    ),
    "half a layer": (
        lambda folder, state: write_meta(folder, without(state, "layers.2.feed_forward.w3")),
        r"layer 2 lacks layers\.2\.feed_forward\.w3\.weight\.",
    ),
    "biases": (
        lambda folder, state: write_hugging_face(
            folder, to_hugging_face(state) | {"model.layers.1.self_attn.q_proj.bias": torch.ones(48)}
        ),
        r"layer 1 also holds model\.layers\.1\.self_attn\.q_proj\.bias, which no LLaMA layer has",
    ),
    "integers": (
        lambda folder, state: write_meta(folder, state | {"layers.1.attention.wk.weight": torch.ones(16, 48).int()}),
        r"layers\.1\.attention\.wk\.weight is no plain floating weight .*torch\.int32",
    ),
    "a scalar": (
        lambda folder, state: write_meta(folder, state | {"layers.1.attention.wk.weight": torch.tensor(1.0)}),
        r"layers\.1\.attention\.wk\.weight is no plain floating weight but of shape \(\)",
    ),
    "another activation": (
        lambda folder, state: write_hugging_face(folder, to_hugging_face(state), hidden_act="gelu"),
        r"of another language model: its activation is gelu",
    ),
    "other heads": (
        lambda folder, state: write_hugging_face(folder, to_hugging_face(state), heads=12, kv_heads=4),
        r"VIT_LLAMA\.NUM_HEADS is 6, the weights want 12; VIT_LLAMA\.NUM_KV_HEADS is 2, the weights want 4",
    ),
    "no settings": (
        lambda folder, state: (write_meta(folder, state) / "params.json").write_text("{") and folder,
        r"params\.json is damaged or no settings",
    ),
}


@pytest.mark.parametrize("case", BAD_SETS)
def test_sets_that_are_refused(tmp_path, state, case):
    write, message = BAD_SETS[case]
    with pytest.raises(UserError, match=message):
        load_llama(small(), write(tmp_path / "set", state), first_layer=FIRST)


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"dim": 60, "ffn": 64}, r"VIT_LLAMA\.DIM is 48, the weights want 60; VIT_LLAMA\.FFN_DIM is 56, .* 64"),
        ({"ffn": 64}, r"layer 1, has other sizes than the model: VIT_LLAMA\.FFN_DIM is 56, the weights want 64\."),
        ({"kv_heads": 6}, r"VIT_LLAMA\.NUM_KV_HEADS is 2, the weights want 6"),
    ],
)
@pytest.mark.parametrize("naming", ["meta", "hugging_face"])
def test_other_widths_name_the_keys(tmp_path, sizes, message, naming):
    state, kv_heads = meta_state(**sizes), sizes.get("kv_heads", 2)
    if naming == "meta":
        folder = write_meta(tmp_path / "set", state, kv_heads=kv_heads)
    else:
        folder = write_hugging_face(tmp_path / "set", to_hugging_face(state, kv_heads=kv_heads), kv_heads=kv_heads)
    with pytest.raises(UserError, match=message):
        load_llama(small(), folder, first_layer=FIRST)


def test_incomplete_sets(tmp_path, state):
    """Of shards, those with the chosen layers are needed; of slices, all."""
    sharded = LAYOUTS["sharded"](tmp_path / "sharded", state)
    places = json.loads((sharded / "model.safetensors.index.json").read_text())["weight_map"]
    lost = places["model.layers.1.mlp.up_proj.weight"]
    (sharded / lost).unlink()
    with pytest.raises(UserError, match=rf"is incomplete: .* is in {lost}, which is not there"):
        load_llama(small(), sharded, first_layer=FIRST)
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(UserError, match=rf"The set is incomplete: {lost} is not there"):
        load_llama(small(), sharded, first_layer=FIRST)

    for number, message in (
        (0, r"incomplete: consolidated\.00\.pth is not there"),
        (1, r"24 rows of layer 1's queries, 48"),
    ):
        sliced = LAYOUTS["sliced"](tmp_path / f"sliced_{number}", state)
        (sliced / f"consolidated.{number:02d}.pth").unlink()
        with pytest.raises(UserError, match=message):
            load_llama(small(), sliced, first_layer=FIRST)


def test_a_shard_without_the_chosen_layers_may_be_absent(tmp_path, state, expected):
    renamed = to_hugging_face(state)
    chosen = {name: tensor for name, tensor in renamed.items() if ".layers.1." in name or ".layers.2." in name}
    folder = write_hugging_face(tmp_path / "set", chosen | {"model.norm.weight": renamed["model.norm.weight"]})
    places = dict.fromkeys(chosen, "model.safetensors") | {"model.layers.3.self_attn.q_proj.weight": "gone.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    model = small()
    load_llama(model, folder, first_layer=FIRST)
    torch.testing.assert_close(outputs(model), expected, rtol=1e-5, atol=1e-5)


PAGES = {
    "a web page": b"\n<!DOCTYPE html><html><head><title>Access to model is restricted</title></head></html>",
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
}


@pytest.mark.parametrize("what", PAGES)
@pytest.mark.parametrize("layout", ["consolidated", "single", "sharded"])
def test_web_pages_and_pointers(tmp_path, state, layout, what):
    folder = LAYOUTS[layout](tmp_path / "set", state)
    for path in folder.glob("*.index.json" if what == "a web page" and layout == "sharded" else "*[!n]"):
        path.write_bytes(PAGES[what])
    with pytest.raises(UserError, match=rf"is {what}.*, not weights.*accepting its licence"):
        load_llama(small(), folder, first_layer=FIRST)


@pytest.mark.parametrize("layout", ["consolidated", "single", "sharded"])
def test_files_cut_short(tmp_path, state, layout):
    folder = LAYOUTS[layout](tmp_path / "set", state)
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.pth")]:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged, cut short"):
        load_llama(small(), folder, first_layer=FIRST)


def test_a_file_with_code_in_it(tmp_path, state):
    folder = LAYOUTS["consolidated"](tmp_path / "set", state)
    trap = tmp_path / "trap"
    torch.save(state | {"extra": RunsACommand(trap)}, folder / "consolidated.00.pth")
    with pytest.raises(UserError, match="cannot be read without running code"):
        load_llama(small(), folder, first_layer=FIRST)
    assert not trap.exists()


def test_the_clip_goes_through(tmp_path, state):
    cfg = small_cfg("ViTLLaMA")
    model = small()
    clip = torch.randn(clip_for(cfg))
    before = model(clip)
    load_llama(model, LAYOUTS["single"](tmp_path / "set", state), first_layer=FIRST)
    assert not torch.allclose(model(clip), before)
