"""A recurrent model has no KV cache of which a part could be taken back: it writes the same all the same."""

import gguf
import numpy as np
import pytest

pytest.importorskip("llama_cpp", reason="without the extra [gguf]")

from aletheia_models.gguf.engine import Engine, Settings
from aletheia_plugins import Request

WIDTH, INNER, STATE, STEP = 32, 64, 8, 4
PROMPTS = ["after red comes\n", "1\n", "after blue comes\n"]


@pytest.fixture
def mamba(toy_file, tmp_path):
    """A Mamba of two layers with random weights, and the toy student's tokenizer."""
    fields = gguf.GGUFReader(toy_file).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    writer = gguf.GGUFWriter(tmp_path / "mamba.gguf", "mamba")
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(2)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(INNER)
    writer.add_ssm_state_size(STATE)
    writer.add_ssm_time_step_rank(STEP)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    random = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (len(tokens), WIDTH),
        "output.weight": (len(tokens), WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in ("blk.0.", "blk.1."):
        shapes |= {
            f"{layer}attn_norm.weight": (WIDTH,), f"{layer}ssm_in.weight": (2 * INNER, WIDTH),
            f"{layer}ssm_conv1d.weight": (INNER, 4), f"{layer}ssm_conv1d.bias": (INNER,),
            f"{layer}ssm_x.weight": (STEP + 2 * STATE, INNER), f"{layer}ssm_dt.weight": (INNER, STEP),
            f"{layer}ssm_dt.bias": (INNER,), f"{layer}ssm_d": (INNER,), f"{layer}ssm_out.weight": (WIDTH, INNER),
        }  # fmt: skip
        writer.add_tensor(f"{layer}ssm_a", -0.1 * np.tile(np.arange(1, STATE + 1, dtype=np.float32), (INNER, 1)))
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(size=shape, scale=0.5).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "mamba.gguf"


def written(file, instruction, *, slots=1, threads=1):
    engine = Engine(file, Settings(slots, 256, threads, instructed=True))
    for prompt in PROMPTS:
        engine.submit(Request(prompt, prompt, (), 8, instruction=instruction))
    done = {}
    while engine.busy:
        done |= {completion.id: completion.tokens for completion in engine.step()}
    return done


@pytest.mark.parametrize("instruction", ["after green comes\n", "sat\n x"])  # the last one may merge with a prompt
@pytest.mark.parametrize(("slots", "threads"), [(1, 2), (4, 1), (4, 2)])
def test_it_writes_the_same_in_any_company(mamba, instruction, slots, threads):
    alone = written(mamba, instruction)
    assert len(alone) == len(PROMPTS)
    assert written(mamba, instruction, slots=slots, threads=threads) == alone


def test_a_recurrent_model_weighs_each_continuation_as_if_it_were_the_only_one(mamba):
    continuations = ["red comes\n", "1\n1\n", "after"]
    for settings in (Settings(1, 64, 1), Settings(1, 64, 1, instructed=True)):
        said = "1\n" if settings.instructed else ""
        engine = Engine(mamba, settings)
        for prompt in PROMPTS:
            alone = [engine.weigh(prompt, [each], said)[0] for each in continuations]
            assert engine.weigh(prompt, continuations, said) == pytest.approx(alone, abs=1e-6)
            assert alone == pytest.approx([Engine(mamba, settings).weigh(prompt, [c], said)[0] for c in continuations])
