"""The embedded student as a GGUF file: the same ids, the same tokens, in any order, batch and number of threads."""

import numpy as np
import pytest

from aletheia_bench import cards, parity
from aletheia_models.gguf import GGUF
from aletheia_models.hf import HF
from aletheia_plugins import Card, load_plugins

llama_cpp = pytest.importorskip("llama_cpp", reason="without the extra [gguf]")
torch = pytest.importorskip("torch")

SIZES = [9, pytest.param(200, marks=pytest.mark.heavy)]


@pytest.fixture(scope="module")
def student() -> Card:
    return cards.find(load_plugins(autoload=False), "aletheia-tiny")


@pytest.fixture(scope="module")
def files(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    for quant in ("f32", "q8_0"):
        GGUF().export(student, folder / f"{quant}.gguf", quant=quant)
    return folder


@pytest.fixture(scope="module")
def tasks():
    return list(load_plugins(autoload=False).tasks.values())


def opened(file, **options):
    settings = {"generation": {"processes": 1, "threads": 1, "batch_size": 1, **options}}
    return GGUF().open(Card("tiny", "gguf", file, weights=file, settings=settings))


def written(file, prompts, how=parity.together, **options):
    model = opened(file, **options)
    try:
        return how(model, prompts)
    finally:
        model.close()


@pytest.mark.parametrize("limit", SIZES)
def test_the_tokens_are_those_of_transformers(student, files, tasks, limit):
    prompts = [prompt for prompt, _ in parity.material(tasks, "tiny", "folded", limit=limit)]
    theirs = parity.together(HF().open(student), prompts)
    assert parity.different(theirs, written(files / "f32.gguf", prompts)) == []


@pytest.mark.parametrize("limit", SIZES)
def test_the_logits_are_those_of_transformers(student, files, tasks, limit):
    from aletheia_models.gguf.engine import Engine, Settings

    engine, theirs = Engine(files / "f32.gguf", Settings(1, 1024, 1, exact=True)), HF().open(student)
    for prompt, _ in parity.material(tasks, "tiny", "folded", limit=limit):
        ids = engine.tokenize(prompt)
        engine._through(ids, 0)
        ours = engine._logits(1)[0].copy()
        llama_cpp.llama_memory_clear(engine.memory, False)
        with torch.inference_mode():
            expected = theirs.model(torch.tensor([ids])).logits[0, -1].numpy()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("limit", [60, pytest.param(5_000, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("level", ["tiny", "small"])
def test_the_ids_are_those_of_transformers(student, files, tasks, level, limit):
    texts = [text for pair in parity.material(tasks, level, "folded", limit=limit // 2) for text in pair]
    model = opened(files / "q8_0.gguf")
    ours = parity.encoded(model, texts)
    model.close()
    assert parity.different(ours, parity.encoded(HF().open(student), texts)) == []


@pytest.mark.parametrize("limit", SIZES)
def test_at_batch_1_no_token_depends_on_the_order(files, tasks, limit):
    prompts = [prompt for prompt, _ in parity.material(tasks, "tiny", "folded", limit=limit)]
    for threads in (1, 2):
        first = written(files / "q8_0.gguf", prompts, threads=threads)
        for seed in range(2):
            model = opened(files / "q8_0.gguf", threads=threads)
            assert parity.different(first, parity.alone(model, prompts, shuffle=seed)) == []
            model.close()
        assert parity.different(first, written(files / "q8_0.gguf", prompts, threads=threads, processes=2)) == []


@pytest.mark.parametrize("limit", SIZES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch_size", [2, 7, 16])
def test_a_batch_flips_hardly_a_token(files, tasks, batch_size, threads, limit):
    """Rounding differs with the batch: two nearly equal logits may change places, but that is rare."""
    prompts = [prompt for prompt, _ in parity.material(tasks, "tiny", "folded", limit=limit)]
    first = written(files / "q8_0.gguf", prompts, threads=threads)
    flipped = parity.different(first, written(files / "q8_0.gguf", prompts, batch_size=batch_size, threads=threads))
    assert len(flipped) <= 0.02 * len(first)
