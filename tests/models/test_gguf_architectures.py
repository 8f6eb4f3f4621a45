"""What llama.cpp computes from an exported model is what transformers computes, for each architecture."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from aletheia_models.gguf import GGUF
from aletheia_plugins import Card, Request

if find_spec("llama_cpp") is None:
    pytest.skip("without the extra [gguf]", allow_module_level=True)

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
VARIANTS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 4, "tie_word_embeddings": True}),
    "llama, grouped queries": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 2, "tie_word_embeddings": False}),
    "llama, wide heads": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 2, "head_dim": 32}),
    "llama, other rotation": (
        LlamaForCausalLM, LlamaConfig, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}},
    ),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen2, own output": (Qwen2ForCausalLM, Qwen2Config, {"num_key_value_heads": 4, "tie_word_embeddings": False}),
}  # fmt: skip
TEXT = "after red comes\nafter green blue\n" * 4


@pytest.fixture
def model(request, tokenizer, tmp_path):
    """A model of random weights, biases too, in a folder."""
    kind, config, options = VARIANTS[request.param]
    torch.manual_seed(1)
    made = kind(config(vocab_size=len(tokenizer), **SHAPE, **options)).eval()
    with torch.no_grad():
        for name, values in made.named_parameters():
            if "norm" not in name:
                values.normal_(std=0.3)
    made.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return made


@pytest.mark.parametrize("model", VARIANTS, indirect=True)
@pytest.mark.parametrize(("quant", "batch"), [("f32", 512), ("f32", 7), ("f16", 512)])
def test_logits_are_the_same(model, tokenizer, tmp_path, quant, batch):
    """But for half precision: a hundredth of their range at most. A prompt may be longer than what fits a batch."""
    from aletheia_models.gguf.engine import Engine, Settings

    file = tmp_path / "model.gguf"
    GGUF().export(Card("model", "hf", tmp_path / "model", weights=tmp_path / "model"), file, quant=quant)
    engine = Engine(file, Settings(1, 256, 1, batch, exact=quant == "f32"))
    ids = engine.tokenize(TEXT)
    assert ids == tokenizer(TEXT)["input_ids"]
    engine._through(ids, 0)
    ours = engine._logits(1)[0]
    with torch.inference_mode():
        theirs = model(torch.tensor([ids])).logits[0, -1].numpy()
    assert np.ptp(theirs) > 1, "logits that are all alike prove nothing"
    assert np.abs(ours - theirs).max() < (1e-5 if quant == "f32" else 0.01) * np.ptp(theirs)


@pytest.mark.parametrize("model", ["llama"], indirect=True)
@pytest.mark.parametrize("instructed", [False, True])
def test_company_changes_nothing(model, tmp_path, instructed):
    """With several threads and more than 512 tokens, llama.cpp has another attention for a token that is alone."""
    from aletheia_models.gguf.engine import Engine, Settings

    file = tmp_path / "model.gguf"
    GGUF().export(Card("model", "hf", tmp_path / "model", weights=tmp_path / "model"), file, quant="f16")
    engine = Engine(file, Settings(3, 1024, 2, instructed=instructed))
    instruction = TEXT if instructed else ""
    requests = [Request(str(n), TEXT * (24 + n), (), 20, instruction=instruction) for n in range(3)]

    def written(*group):
        for request in group:
            engine.submit(request)
        seen = []
        write = engine._write
        engine._write = lambda slot, logits: (seen.append((slot.request.id, logits.copy())), write(slot, logits))
        while engine.busy:
            engine.step()
        engine._write = write
        return [[logits for name, logits in seen if name == request.id] for request in group]

    assert len(engine.tokenize(requests[0].prompt)) > 512
    together = written(*requests)
    for request, rows in zip(requests, together, strict=True):
        alone = written(request)[0]
        assert len(alone) == len(rows) > 5
        np.testing.assert_array_equal(alone, rows)
