"""From a scenario to people: corpus, split in time, sides, populations of every size. Cheap, so it runs first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.columns import Columns
from agents.corpus import Corpus, SplitUser
from agents.errors import PopulationError
from agents.loading import load_corpus
from agents.population import Population, draw_population
from agents.splitting import split_corpus
from agents.synthetic.community import make_community
from sim.errors import RunDirError
from sim.rng import generator
from sim.run_dir import RunDir
from sim.scenario import FileCorpus, Scenario, SyntheticCorpus


@dataclass(frozen=True)
class People:
    """Everybody a scenario can draw on, and those it draws.

    Args:
        corpus: users on the two sides, with what was excluded.
        sides: label of the supportive side, label of the skeptical side.
        splits: user id → timeline cut into training and held-out posts.
        populations: N → its agents; smaller populations are part of larger ones.
        excluded: reason → users left out after loading.
    """

    corpus: Corpus
    sides: tuple[str, str]
    splits: Mapping[str, SplitUser]
    populations: Mapping[int, Population]
    excluded: Mapping[str, int]


def gather(scenario: Scenario) -> People:
    """Load, split and draw.

    Raises:
        CorpusError: for a corpus that cannot be read or is too small.
        PopulationError: when sides are missing or a size exceeds the people there are.
    """
    block = scenario.population
    corpus = _corpus(scenario)
    sides = _sides(corpus, block.sides)
    on_sides = tuple(u for u in corpus.users if u.side in sides)
    split = split_corpus(
        corpus.with_users(on_sides), train_posts=block.train_posts, min_held_out=block.held_out_posts
    )
    users = [s.user for s in split]
    populations = {
        size: draw_population(
            users,
            size,
            generator(block.seed, "population"),
            sides=sides,
            side_shares=block.side_shares,
            persona=block.persona,
        )
        for size in block.size
    }
    return People(
        corpus=corpus,
        sides=sides,
        splits={s.user.user_id: s for s in split},
        populations=populations,
        excluded={"other_side": len(corpus) - len(on_sides), **split.excluded},
    )


def gather_again(run: RunDir) -> People:
    """The people of a run.

    Raises:
        RunDirError: when the corpus is no longer the one that the run was made with.
        CorpusError: when it cannot be read.
    """
    people = gather(run.scenario)
    if people.corpus.digest != run.manifest["corpus"]["sha256"]:
        raise RunDirError(
            f"{run.path}: the corpus {people.corpus.name} has changed since this run was made, so its posts are not "
            "those that the adapters learned. Put the former file back."
        )
    return people


def _corpus(scenario: Scenario) -> Corpus:
    match scenario.corpus:
        case SyntheticCorpus() as made:
            rng = generator(made.seed, "community")
            return make_community(rng, made.users, made.posts_per_user, interactions_per_user=0).corpus
        case FileCorpus() as file:
            columns = Columns(**file.columns.model_dump())
            return load_corpus(file.path, columns=columns, table=file.table)


def _sides(corpus: Corpus, wanted: tuple[str, str] | None) -> tuple[str, str]:
    there = corpus.sides
    if wanted is not None:
        if missing := [s for s in wanted if s not in there]:
            raise PopulationError(
                f"population.sides: {missing[0]!r} is no side of corpus {corpus.name}; "
                f"it has {', '.join(there) or 'none'}"
            )
        return wanted
    if len(there) != 2:
        raise PopulationError(
            f"corpus {corpus.name} has {len(there)} sides ({', '.join(there) or 'none'}); a comparison of sides "
            "needs two. Name them: population.sides: [SUPPORTIVE, SKEPTICAL]; or map the column: corpus.columns.side"
        )
    skeptical, supportive = there
    return supportive, skeptical
