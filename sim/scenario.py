"""The scenario: what one experiment is, as closed and frozen data. Every key is documented here, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from adapters.lora.spec import LoraSpec
from adapters.training.config import TrainConfig
from agents.apportionment import SideShares
from agents.bindings import Condition
from agents.decision import ALL_ACTIONS, Action
from agents.derangement import Permute
from agents.opinion.models import OPINION_CONDITIONS
from agents.personas import DEFAULT_PERSONA
from agents.rendering import DEFAULT_RENDERING, Rendering
from sim.block import Block
from sim.engine_blocks import EngineBlock, LocalEngineBlock
from sim.opinion_blocks import OpinionModelsBlock
from sim.stance_block import StanceBlock

_SPEC = LoraSpec()
_TRAIN = TrainConfig()


class ColumnsBlock(Block):
    """Names of the columns in a corpus file; a key left out is found by its usual names."""

    user: str | None = None
    """Column of the user id."""
    text: str | None = None
    """Column of the post's text."""
    time: str | None = None
    """Column of the time (ISO 8601 or seconds since 1970)."""
    side: str | None = None
    """Column of the group label."""
    profile: str | None = None
    """Column of a line about the person."""
    activity: str | None = None
    """Column of the expected actions per step, in (0, 1]."""


class SyntheticCorpus(Block):
    """A made-up community with known truth."""

    kind: Literal["synthetic"] = "synthetic"
    """`synthetic`."""
    users: int = Field(default=64, ge=4, le=100_000)
    """People to make up."""
    posts_per_user: int = Field(default=100, ge=2, le=10_000)
    """Posts of each."""
    seed: int = Field(default=20_000, ge=0)
    """Of the community alone. The shipped base was trained on a community with another seed."""


class FileCorpus(Block):
    """Timelines from a file."""

    kind: Literal["file"]
    """`file`."""
    path: Path
    """JSONL, JSONL.gz, CSV, Parquet or SQLite; a relative path starts at the scenario's folder."""
    columns: ColumnsBlock = ColumnsBlock()
    """Column names, where they are not the usual ones."""
    table: str | None = None
    """SQLite only: the table to read."""


CorpusBlock = Annotated[SyntheticCorpus | FileCorpus, Field(discriminator="kind")]


class PopulationBlock(Block):
    """Who takes part."""

    size: tuple[int, ...] = (64,)
    """Agents, N; a list runs every size."""
    sides: tuple[str, str] | None = None
    """Supportive side, skeptical side, as the corpus spells them; null takes its two labels, sorted, last first."""
    side_shares: SideShares = "balanced"
    """`balanced` draws as many from each side; `corpus` keeps the corpus's shares."""
    train_posts: int = Field(default=80, ge=1)
    """Posts of each person that train the adapter, the earliest ones (K)."""
    held_out_posts: int = Field(default=5, ge=0)
    """Later posts that a person must have beyond K, for evaluation."""
    persona: str = DEFAULT_PERSONA
    """One line about the agent in every prompt; fields {user}, {side}, {profile}."""
    seed: int = Field(default=0, ge=0)
    """Which people are drawn; the same people for every seed of the experiment."""

    @model_validator(mode="before")
    @classmethod
    def _one_size(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("size"), int):
            return {**data, "size": [data["size"]]}
        return data

    @model_validator(mode="after")
    def _sizes(self) -> PopulationBlock:
        if not self.size or min(self.size) < 2 or len(set(self.size)) != len(self.size):
            raise ValueError(f"size: got {list(self.size)}; expected distinct whole numbers of at least 2")
        return self


class HomophilousGraph(Block):
    """Stochastic block model with two blocks: the sides."""

    kind: Literal["homophilous"] = "homophilous"
    """`homophilous`."""
    mean_degree: float | None = Field(default=None, gt=0)
    """Expected number of people an agent follows; null takes 8, or a quarter of N where that is less."""
    homophily: float = Field(default=0.8, ge=0, le=1)
    """Expected share of those on the agent's own side."""


class PreferentialGraph(Block):
    """Preferential attachment: the followed get followed."""

    kind: Literal["preferential"]
    """`preferential`."""
    mean_degree: float | None = Field(default=None, gt=0)
    """Number of people a newcomer follows; null takes 8, or a quarter of N where that is less."""
    homophily: float = Field(default=0.5, ge=0, le=1)
    """Weight of one's own side against the other; 0.5 ignores sides."""


class EdgeListGraph(Block):
    """The user's own graph."""

    kind: Literal["edges"]
    """`edges`."""
    path: Path
    """CSV of follower and followee by user id; a relative path starts at the scenario's folder."""


GraphBlock = Annotated[HomophilousGraph | PreferentialGraph | EdgeListGraph, Field(discriminator="kind")]


class AdaptersBlock(Block):
    """How a person becomes an adapter."""

    rank: int = Field(default=_SPEC.rank, ge=1, le=512)
    """r."""
    alpha: float = Field(default=_SPEC.alpha, gt=0)
    """The update is (alpha / rank) · B A."""
    targets: tuple[str, ...] = _SPEC.targets
    """Linears that carry the adapter."""
    first_layer: int = Field(default=_SPEC.first_layer, ge=0)
    """Only decoder layers from this index on carry the adapter; 0 is all. Higher ones train and serve faster."""
    rendering: Rendering = DEFAULT_RENDERING
    """`words`, `turn` or `raw`: how a post is shown in training; it moves the action prior."""
    epochs: int = Field(default=_TRAIN.epochs, ge=1)
    """Passes over a person's training posts."""
    rows_per_step: int = Field(default=_TRAIN.rows_per_step, ge=1)
    """Posts of one person in one optimizer step."""
    learning_rate: float = Field(default=_TRAIN.learning_rate, gt=0)
    """AdamW's peak."""
    max_tokens: int = Field(default=_TRAIN.max_tokens, ge=8)
    """Longer training rows, their prompt included, are left out and counted, never cut."""
    tokens_per_pass: int = Field(default=_TRAIN.tokens_per_pass, ge=1)
    """Tokens that training takes through the base at once; fewer need less memory. Changes results by rounding only."""
    checkpoint_activations: bool = _TRAIN.checkpoint_activations
    """Training keeps less for its backward pass and computes it again: less memory, more time, the same result."""
    cache_gib: float = Field(default=_TRAIN.cache_gib, ge=0, allow_inf_nan=False)
    """GiB for what training keeps from epoch to epoch with a `first_layer` above 0. Changes rounding only."""
    seed: int = Field(default=0, ge=0)
    """Of initialisation and data order; one for all cells, so that seeds share adapters."""
    permute: Permute = "any"
    """Whose adapter an agent gets in the condition `permuted`."""

    @property
    def spec(self) -> LoraSpec:
        """The adapter's shape."""
        return LoraSpec(self.rank, self.alpha, self.targets, first_layer=self.first_layer)


class FeedBlock(Block):
    """What an agent sees before it acts."""

    kind: Literal["following+interest", "hot", "random"] = "following+interest"
    """`following+interest`, `hot` (the platform's score) or `random`."""
    size: int = Field(default=5, ge=0, le=50)
    """Posts in one feed."""
    window: int = Field(default=10, ge=1)
    """Only posts of the last so many steps."""


class SamplingBlock(Block):
    """How replies are drawn."""

    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus mass."""
    max_new_tokens: int = Field(default=96, ge=8)
    """Longest reply, in tokens; a cut reply is a failure in the ledger."""
    max_chars: int = Field(default=160, ge=1)
    """Longest text of a post, in characters."""


class SimulationBlock(Block):
    """What happens."""

    steps: int = Field(default=10, ge=1)
    """Acting steps; step 0 holds the seed posts."""
    seed_posts: int = Field(default=16, ge=0)
    """Posts at step 0, half from each side, in their authors' own words from the training posts."""
    feed: FeedBlock = FeedBlock()
    """What an agent sees."""
    actions: tuple[Action, ...] = ALL_ACTIONS
    """What an agent may do, in the order of the prompt."""
    sampling: SamplingBlock = SamplingBlock()
    """How replies are drawn."""
    policy: Literal["structured", "tool_calling"] = "structured"
    """`structured`: replies that a grammar holds to a format; `tool_calling`: OASIS's own agents, on a vLLM server."""

    @model_validator(mode="after")
    def _can_always_act(self) -> SimulationBlock:
        if Action.DO_NOTHING not in self.actions and Action.CREATE_POST not in self.actions:
            raise ValueError(
                "actions: an agent with an empty feed needs do_nothing or create_post among them"
            )
        return self


class CompareBlock(Block):
    """Which conditions are paired."""

    treatment: Condition = "lora"
    """The side of the question."""
    control: Condition = "shared_base"
    """What it is held against; every other condition is compared with it too."""


class Scenario(Block):
    """One experiment: conditions × sizes × seeds over one corpus and one base."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    """Lower-case letters, digits, `-` and `_`."""
    description: str = ""
    """For the report's head."""
    base: str = "tiny-moe"
    """`tiny-moe`, a fetched base (`smollm2`), a hub id in the local cache, or the folder of a Hugging Face model."""
    corpus: CorpusBlock = SyntheticCorpus()
    """Whose posts train the adapters."""
    population: PopulationBlock = PopulationBlock()
    """Who takes part."""
    follow_graph: GraphBlock = HomophilousGraph()
    """Who follows whom at the start."""
    adapters: AdaptersBlock = AdaptersBlock()
    """How a person becomes an adapter."""
    conditions: tuple[Condition, ...] = ("lora", "shared_base")
    """Every condition runs with every size and seed."""
    seeds: tuple[int, ...] = (0, 1)
    """Each seed is one paired repetition: follow graph, activation, feeds, seed posts and decoding."""
    simulation: SimulationBlock = SimulationBlock()
    """What happens."""
    engine: EngineBlock = LocalEngineBlock()
    """What runs the model."""
    stance: StanceBlock = StanceBlock()
    """Who reads stance off a text, and what counts how much in a user's."""
    opinion_models: OpinionModelsBlock = OpinionModelsBlock()
    """Parameters of conditions that are classical opinion models."""
    compare: CompareBlock = CompareBlock()
    """Which conditions are paired."""

    @model_validator(mode="before")
    @classmethod
    def _usual_kinds(cls, data: object) -> object:
        """A block of a union without `kind` is of the default kind."""
        if not isinstance(data, dict):
            return data
        usual = {"corpus": "synthetic", "follow_graph": "homophilous", "engine": "local"}
        kinds = {k: {"kind": kind, **data[k]} for k, kind in usual.items() if isinstance(data.get(k), dict)}
        return data | kinds

    @model_validator(mode="after")
    def _grid(self) -> Scenario:
        for key, values in (("conditions", self.conditions), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise ValueError(f"{key}: got {list(values)}; expected at least one value, each once")
        if min(self.seeds) < 0:
            raise ValueError(f"seeds: got {min(self.seeds)}; expected whole numbers of at least 0")
        for key, value in (("treatment", self.compare.treatment), ("control", self.compare.control)):
            if len(self.conditions) > 1 and value not in self.conditions:
                raise ValueError(f"compare.{key}: {value} is not among conditions {list(self.conditions)}")
        if self.compare.treatment == self.compare.control:
            raise ValueError(f"compare: treatment and control are both {self.compare.control}")
        if self.simulation.seed_posts < 2 and set(OPINION_CONDITIONS) & set(self.conditions):
            raise ValueError(
                f"simulation.seed_posts: got {self.simulation.seed_posts}; opinion models take first stances from "
                "the seed posts, so they need at least 2, one of each side"
            )
        if self.simulation.policy == "tool_calling" and self.engine.kind != "vllm":
            raise ValueError(
                "simulation.policy: tool_calling needs a server that takes tool calls; set engine.kind: vllm, or "
                "policy: structured"
            )
        return self
