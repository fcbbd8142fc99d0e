from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.errors import CorruptAdapterError, LostLeaseError, StoreError, UnknownAdapterError
from adapters.store import AdapterStore
from adapters.store.sessions.sessions import open_session, session_rows
from adapters.store.sessions.state import SessionState
from adapters.training.optimizer import StackedAdamW
from tests.adapters.store.crash_child import in_child
from tests.adapters.store.samples import publish, rewrite


def state(step: int, parent: str | None = None) -> SessionState:
    """Moments, a step count and a generator of torch and of numpy."""
    generator = torch.Generator().manual_seed(step)
    position = {
        "step": step,
        "rate": 0.1 / (1 + step),
        "numpy": np.random.default_rng(step).bit_generator.state,
    }
    tensors = {
        "mean": torch.full((3, 4), float(step)),
        "steps": torch.tensor([step], dtype=torch.long),
        "generator": generator.get_state(),
    }
    return SessionState(position, tensors, parent)


def files(store: AdapterStore, name: str = "ada") -> list[str]:
    return sorted(path.name for path in (store.layout.sessions / name).glob("*.safetensors"))


def assert_same(one: SessionState | None, other: SessionState) -> None:
    assert one is not None
    assert one.position == other.position
    assert one.parent == other.parent
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert tensor.dtype == other.tensors[name].dtype
        assert torch.equal(tensor, other.tensors[name])


def test_what_is_saved_is_loaded_bit_for_bit_by_the_next_writer(store: AdapterStore) -> None:
    parent = publish(store, "ada")
    with open_session(store, "ada") as session:
        assert session.load() is None
        assert session.save(state(1)) == 1
        assert session.save(state(2, parent)) == 2
    with open_session(store, "ada") as session:
        loaded = session.load()
        assert_same(loaded, state(2, parent))
        assert loaded is not None
        generator = torch.Generator()
        generator.set_state(loaded.tensors["generator"])
        expected = torch.rand(3, generator=torch.Generator().manual_seed(2))
        assert torch.equal(torch.rand(3, generator=generator), expected)
        assert session.save(state(3)) == 3
    assert len(files(store)) == 1


def test_a_state_may_be_discarded(store: AdapterStore) -> None:
    publish(store, "ada")
    with open_session(store, "ada") as session:
        session.save(state(1))
        session.discard()
        assert session.load() is None
        assert files(store) == []
        assert session.save(state(2)) == 2


def test_only_policies_have_sessions(store: AdapterStore) -> None:
    publish(store, "ada")
    with pytest.raises(UnknownAdapterError, match="eve"), open_session(store, "eve"):
        pass
    assert not store.layout.sessions.exists()


def test_a_second_writer_is_refused_and_other_names_are_free(store: AdapterStore) -> None:
    publish(store, "ada")
    publish(store, "ben", 1)
    busy = pytest.raises(StoreError, match=f"session 'ada': process {os.getpid()}")
    with open_session(store, "ada"), open_session(store, "ben"), busy, open_session(store, "ada"):
        pass


def test_a_writer_that_slept_while_another_took_over_can_change_nothing(store: AdapterStore) -> None:
    publish(store, "ada")
    with open_session(store, "ada") as sleeper:
        sleeper.save(state(1))
        with open_session(store, "ada", take_over=True) as new:
            assert new.token == sleeper.token + 1
            assert_same(new.load(), state(1))
            for attempt in (lambda: sleeper.save(state(9)), sleeper.discard):
                with pytest.raises(LostLeaseError, match=r"another writer took over.*nothing was written"):
                    attempt()
            assert_same(new.load(), state(1))
            new.save(state(2))
            assert len(files(store)) == 1
        assert_same(sleeper.load(), state(2))


def test_it_can_change_nothing_even_when_it_slept_in_the_middle_of_a_save(
    store: AdapterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is written, the other takes over and saves, then it goes on to commit."""
    from adapters.store.sessions import sessions

    publish(store, "ada")
    write_state = sessions.write_state
    with open_session(store, "ada") as sleeper:

        def write_and_sleep(file: Path, what: SessionState) -> object:
            seal = write_state(file, what)
            monkeypatch.setattr(sessions, "write_state", write_state)
            with open_session(store, "ada", take_over=True) as new:
                new.save(state(2))
            return seal

        monkeypatch.setattr(sessions, "write_state", write_and_sleep)
        with pytest.raises(LostLeaseError):
            sleeper.save(state(9))
    with open_session(store, "ada") as session:
        assert_same(session.load(), state(2))
    assert len(files(store)) == 1


def test_a_forked_child_cannot_save(store: AdapterStore) -> None:
    publish(store, "ada")
    with open_session(store, "ada") as session:

        def try_to_save() -> None:
            with pytest.raises(LostLeaseError, match="used by its child"):
                session.save(state(1))

        assert in_child(try_to_save) == 0
        assert session.load() is None


def test_a_parent_must_be_a_revision_of_the_store(store: AdapterStore) -> None:
    publish(store, "ada")
    with open_session(store, "ada") as session:
        with pytest.raises(StoreError, match="no revision of this store; publish it before"):
            session.save(state(1, "ab" * 32))
        with pytest.raises(ValueError, match="expected a revision id"):
            state(1, "ada")
        assert session.load() is None
        session.save(state(2))
        assert len(files(store)) == 1


@pytest.mark.parametrize("harm", ["truncate", "alter", "remove", "link"])
def test_a_damaged_state_is_never_loaded(store: AdapterStore, harm: str) -> None:
    publish(store, "ada")
    with open_session(store, "ada") as session:
        session.save(state(1))
        file = store.layout.sessions / "ada" / files(store)[0]
        content = file.read_bytes()
        match harm:
            case "truncate":
                rewrite(file, content[:-1])
            case "alter":
                rewrite(file, content[:-1] + bytes([content[-1] ^ 1]))
            case "remove":
                file.unlink()
            case "link":
                file.rename(file.with_name("aside"))
                file.symlink_to(file.with_name("aside"))
        with pytest.raises(CorruptAdapterError, match=f"{file.name}.*discard.*fresh moments"):
            session.load()
        session.discard()
        assert session.load() is None


def test_a_training_that_is_cut_off_goes_on_exactly(store: AdapterStore) -> None:
    """Weights, moments, step counts and the generator of the data order, through a session, are enough."""
    revision = publish(store, "ada")

    def steps(weights: torch.Tensor, kept: SessionState | None, many: int) -> SessionState:
        weights.requires_grad_(True)
        optimizer = StackedAdamW([weights], weight_decay=0.1, clip_norm=1.0)
        generator = torch.Generator().manual_seed(7)
        if kept is not None:
            generator.set_state(kept.tensors["generator"])
            for name, tensor in optimizer.state().items():
                tensor.copy_(kept.tensors[name])
        for _ in range(many):
            (weights * torch.randn(weights.shape, generator=generator)).sum().backward()
            optimizer.step(torch.full((2,), 0.01), optimizer.take_gradients())
        tensors = {
            **optimizer.state(),
            "generator": generator.get_state(),
            "weights": weights.detach().clone(),
        }
        return SessionState({}, tensors, revision)

    whole = steps(torch.ones(2, 3), None, 5)
    with open_session(store, "ada") as session:
        session.save(steps(torch.ones(2, 3), None, 2))
    with open_session(store, "ada") as session:
        kept = session.load()
    assert kept is not None
    assert_same(steps(kept.tensors["weights"].clone(), kept, 3), whole)


def test_tokens_only_grow(store: AdapterStore) -> None:
    publish(store, "ada")
    tokens = []
    for _ in range(3):
        with open_session(store, "ada") as session:
            tokens.append(session.token)
    assert tokens == [1, 2, 3]
    with store.catalog.reading() as db:
        assert [row.token for row in session_rows(db)] == [3]
