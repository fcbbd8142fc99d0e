"""The community is reproducible, varied, and its texts and choices follow the truth that is told about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier

from agents.decision import Action, affordances
from agents.handles import assign_handles
from agents.reply import parse_reply
from agents.synthetic import plan
from agents.synthetic.choices import MAX_FEED
from agents.synthetic.community import Community, make_community
from agents.synthetic.curriculum import interaction_reply
from agents.synthetic.sentences import MAX_CHARS, MIN_CHARS
from agents.text import clean_text


def texts(community: Community) -> set[str]:
    return {p.text for u in community.corpus for p in u.posts}


def test_the_same_seed_gives_the_same_community() -> None:
    one, other = (make_community(np.random.default_rng(5), 6, 8, 4) for _ in range(2))
    assert one.corpus.digest == other.corpus.digest
    assert one.interactions == other.interactions
    pd.testing.assert_frame_equal(one.truth, other.truth)


def test_another_seed_shares_neither_users_nor_texts_beyond_chance(community: Community) -> None:
    other = make_community(np.random.default_rng(12), 40, 40, 0)
    shared = texts(community) & texts(other)
    assert len(shared) / len(texts(community)) < 0.05
    assert not {u.user_id for u in community.corpus} & {u.user_id for u in other.corpus}


def test_sides_are_balanced_and_are_the_sign_of_the_stance(community: Community) -> None:
    truth = community.truth
    assert truth.side.value_counts().to_dict() == {"supportive": 20, "skeptical": 20}
    assert ((truth.stance > 0) == (truth.side == "supportive")).all()
    assert truth.stance.between(-1, 1).all()
    assert [u.user_id for u in community.corpus] == truth.user.tolist()
    assert [u.side for u in community.corpus] == truth.side.tolist()
    assert [u.activity for u in community.corpus] == truth.activity.tolist()


def test_shares_in_the_truth_sum_to_one(community: Community) -> None:
    for prefix in ("topic_", "action_"):
        assert np.allclose(community.truth.filter(regex=f"^{prefix}").sum(axis=1), 1)


def test_posts_are_short_clean_and_new_to_their_writer(community: Community) -> None:
    for user in community.corpus:
        written = [p.text for p in user.posts]
        assert len(set(written)) == 40
        assert all(MIN_CHARS <= len(t) <= MAX_CHARS and clean_text(t) == t for t in written)
        assert [p.time for p in user.posts] == sorted(p.time for p in user.posts)
        assert user.profile.endswith(".")
        assert "\n" not in user.profile


def test_ids_serve_as_handles(community: Community) -> None:
    assert assign_handles(community.corpus.users) == {u.user_id: u.user_id for u in community.corpus}


def test_every_logged_reply_is_a_valid_decision(community: Community) -> None:
    by_action = set()
    for interaction in community.interactions:
        open_to = affordances(interaction.feed, interaction.allowed)
        assert len(interaction.feed) <= MAX_FEED
        assert interaction.reader not in {e.handle for e in interaction.feed}
        assert parse_reply(interaction_reply(interaction), interaction.feed, open_to) == interaction.decision
        by_action.add(interaction.decision.action)
    assert by_action == set(Action)


def expressed(text: str) -> int:
    """+1, −1 or 0: which side's verdicts or claims the text holds."""

    def holds(phrases: list[str]) -> bool:
        plain = text.lower()
        return any(all(part.strip().lower() in plain for part in p.split("{tram}")) for p in phrases)

    pro = holds([*plan.CLAIMS_FOR, *(v for vs in plan.VERDICTS_FOR.values() for v in vs)])
    con = holds([*plan.CLAIMS_AGAINST, *(v for vs in plan.VERDICTS_AGAINST.values() for v in vs)])
    return int(pro) - int(con)


def test_texts_express_the_latent_stance(community: Community) -> None:
    stance = community.truth.set_index("user").stance
    voiced = pd.Series({u.user_id: np.mean([expressed(p.text) for p in u.posts]) for u in community.corpus})
    assert np.corrcoef(stance, voiced[stance.index])[0, 1] > 0.7


def test_likes_go_to_agreement_and_dislikes_to_disagreement(community: Community) -> None:
    stance = community.truth.set_index("user").stance
    agreement: dict[Action, list[float]] = {Action.LIKE_POST: [], Action.DISLIKE_POST: []}
    for interaction in community.interactions:
        if interaction.decision.action in agreement:
            post = next(e for e in interaction.feed if e.post_id == interaction.decision.post_id)
            told = expressed(post.text)
            if told:
                agreement[interaction.decision.action].append(np.sign(stance[interaction.reader]) * told)
    assert np.mean(agreement[Action.LIKE_POST]) > 0.5
    assert np.mean(agreement[Action.DISLIKE_POST]) < -0.5


def test_people_are_recognised_by_their_style(community: Community) -> None:
    """A linear model over character n-grams names the writer of an unseen post: chance is 1/40."""
    train = [(p.text, u.user_id) for u in community.corpus for p in u.posts[:30]]
    test = [(p.text, u.user_id) for u in community.corpus for p in u.posts[30:]]
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False, min_df=2)
    model = RidgeClassifier().fit(vectors.fit_transform([t for t, _ in train]), [u for _, u in train])
    guessed = model.predict(vectors.transform([t for t, _ in test]))
    assert np.mean(guessed == np.array([u for _, u in test])) > 0.5


@pytest.mark.parametrize(
    ("counts", "message"),
    [((1, 5, 0), "n_users"), ((4, 0, 0), "posts_per_user"), ((4, 1, -1), "interactions_per_user")],
)
def test_counts_out_of_range_are_refused(counts: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_community(np.random.default_rng(0), *counts)
