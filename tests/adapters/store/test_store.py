"""Publishing, resolving, opening, listing; damage is in test_damage.py, crashes in test_crash.py."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import InvalidAdapterError, StoreError, UnknownAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.spec import LoraSpec
from adapters.store import AdapterStore, EntryFilter, Publication
from tests.adapters.store.samples import FINGERPRINT, SPEC, adapter, manifest, publish, same_tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_published_is_opened_bit_for_bit(store: AdapterStore, dtype: torch.dtype) -> None:
    one = adapter(dtype=dtype)
    revision = store.publish(one, manifest(metrics={"loss": 2.5}), name="ada")
    assert same_tensors(store.open(revision), one)
    assert store.open(revision).spec == SPEC
    kept = store.manifest(revision)
    assert kept.metrics == {"loss": 2.5}
    assert kept.identity() == manifest().identity()


def test_the_store_fills_in_time_and_version(store: AdapterStore) -> None:
    kept = store.manifest(publish(store, "ada"))
    assert kept.created_at.endswith("+00:00")
    assert kept.plures_version
    given_time = "2020-01-02T03:04:05.000006+00:00"
    assert store.manifest(publish(store, "ben", 1, created_at=given_time)).created_at == given_time


def test_the_same_content_twice_is_one_revision_with_the_first_labels(store: AdapterStore) -> None:
    first = publish(store, "ada", metrics={"loss": 1.0})
    second = publish(store, "ben", metrics={"loss": 2.0}, base_name="another-label")
    assert first == second
    assert store.revisions() == [first]
    assert store.manifest(first).metrics == {"loss": 1.0}
    assert store.heads() == {"ada": first, "ben": first}
    assert len(list((store.root / "revisions").glob("*/*"))) == 1


def test_the_id_depends_on_content_and_not_on_the_store(store: AdapterStore, tmp_path: Path) -> None:
    elsewhere = AdapterStore(tmp_path / "other")
    publish(elsewhere, "somebody-else", 5)
    assert publish(store, "ada") == publish(elsewhere, "ada")
    assert publish(store, "ada", 1) != publish(store, "ada", 2)
    one = adapter()
    ids = {store.publish(one, manifest(seed=seed), name="ada") for seed in range(3)}
    assert len(ids) == 3


def test_publishing_moves_the_head_and_keeps_the_history(store: AdapterStore) -> None:
    first = publish(store, "ada", 1)
    second = publish(store, "ada", 2, parent=first)
    publish(store, "ada", 2, parent=first)
    assert store.resolve("ada") == second
    assert store.resolve(f"ada@{first[:10]}") == first
    entries = store.list(EntryFilter(history=True))
    assert [(e.sequence, e.revision, e.is_head, e.parent) for e in entries] == [
        (2, second, True, first),
        (1, first, False, None),
    ]


def test_many_are_published_at_one_moment_in_the_order_given(store: AdapterStore) -> None:
    items = [Publication(adapter(i), manifest(seed=i), f"user-{i:04d}") for i in range(20)]
    again = Publication(adapter(0), manifest(seed=0), "the-same-as-0")
    revisions = store.publish_many([*items, again])
    assert revisions[-1] == revisions[0]
    assert store.heads() == dict(zip([i.name for i in (*items, again)], revisions, strict=True))
    assert len({e.published_at for e in store.list()}) == 1
    assert store.publish_many([]) == []


def test_one_bad_adapter_among_many_publishes_none_and_is_named(store: AdapterStore) -> None:
    pairs = {path: pair._replace(B=pair.B * float("nan")) for path, pair in adapter().pairs.items()}
    bad = Adapter(SPEC, pairs)
    items = [(adapter(), manifest(), "good"), (bad, manifest(), "user-0666")]
    with pytest.raises(InvalidAdapterError, match=r"user-0666.*NaN"):
        store.publish_many(items)
    assert not store.root.exists()


def test_a_manifest_of_another_spec_is_refused(store: AdapterStore) -> None:
    with pytest.raises(InvalidAdapterError, match="adapter's own spec"):
        store.publish(adapter(), manifest(spec=replace(SPEC, alpha=9.0)), name="ada")


def test_a_bad_name_is_refused_before_anything_is_written(store: AdapterStore) -> None:
    with pytest.raises(StoreError, match="a-z"):
        store.publish(adapter(), manifest(), name="Ada Lovelace")
    assert not store.root.exists()


def test_only_full_ids_open(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    for ref in ("ada", revision[:12], "../../etc", ""):
        with pytest.raises(UnknownAdapterError, match=r"Full ids are expected.*resolve"):
            store.open(ref)


def test_a_training_is_found_again_by_all_that_decides_it(store: AdapterStore) -> None:
    key = manifest(seed=3).training_key
    assert store.find(key) is None
    revision = publish(store, "ada", 3, metrics={"loss": 1.0}, created_at="2020-01-01T00:00:00+00:00")
    store.publish(adapter(99), manifest(seed=3), name="not-the-same-twice")
    assert store.find(key) == revision
    assert store.find(replace(key, seed=4)) is None
    assert store.find(replace(key, spec=LoraSpec(rank=8))) is None


def test_tags_are_fixed_names(store: AdapterStore) -> None:
    first, second = publish(store, "ada", 1), publish(store, "ada", 2)
    store.tag("paper", first)
    store.tag("paper", first)
    assert store.resolve("paper") == first
    with pytest.raises(StoreError, match=f"on revision {first}"):
        store.tag("paper", second)
    store.tag("paper", second, move=True)
    assert store.resolve("paper") == second
    assert store.list()[0].tags == ("paper",)
    with pytest.raises(StoreError, match="is a name"):
        store.tag("ada", first)
    with pytest.raises(StoreError, match="is a tag"):
        publish(store, "paper", 3)
    with pytest.raises(UnknownAdapterError):
        store.tag("draft", "0" * 64)
    assert store.revisions() == sorted([first, second])
    assert len(list((store.root / "revisions").glob("*/*"))) == 2


def test_lists_are_filtered_by_base_name_tag_and_revision(store: AdapterStore) -> None:
    one, two = publish(store, "town.ada", 1), publish(store, "town.ben", 2)
    three = publish(store, "city.cem", 3, base_name="smollm2", base_fingerprint="0" * 64, kind="pooled")
    store.tag("paper", one)
    four = publish(store, "town.ada", 4)

    def names(**wanted: object) -> list[tuple[str, str]]:
        return [(e.name, e.revision) for e in store.list(EntryFilter(**wanted))]  # type: ignore[arg-type]

    assert names() == [("city.cem", three), ("town.ada", four), ("town.ben", two)]
    assert names(name_prefix="town.") == [("town.ada", four), ("town.ben", two)]
    assert names(base="smollm2") == names(base="0" * 64) == names(base="00000000") == [("city.cem", three)]
    assert names(base=FINGERPRINT[:7]) == []
    assert names(tag="paper") == names(revision=one) == [("town.ada", one)]
    assert names(tag="unused") == []
    assert names(name_prefix="town.a", history=True) == [("town.ada", four), ("town.ada", one)]
    assert names(base="smollm2", name_prefix="town.") == []


def test_a_revision_folder_is_one_that_peft_loads(store: AdapterStore, tiny_random_folder: Path) -> None:
    """Published, then loaded by PEFT itself: the merged weights are W + s·B·A."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from adapters.lora.adapter import LoraPair

    model = AutoModelForCausalLM.from_pretrained(tiny_random_folder)
    path = "model.layers.0.self_attn.q_proj"
    linear = model.get_submodule(path)
    before = linear.weight.detach().clone()
    spec = LoraSpec(rank=2, alpha=6.0, targets=("q_proj",))
    generator = torch.Generator().manual_seed(0)
    pairs = {
        f"model.layers.{layer}.self_attn.q_proj": LoraPair(
            torch.randn(2, linear.in_features, generator=generator),
            torch.randn(linear.out_features, 2, generator=generator),
        )
        for layer in range(2)
    }
    revision = store.publish(Adapter(spec, pairs), manifest(spec=spec), name="ada")
    merged = PeftModel.from_pretrained(model, str(store.path(revision))).merge_and_unload()
    expected = before + 3.0 * pairs[path].B @ pairs[path].A
    torch.testing.assert_close(merged.get_submodule(path).weight, expected)


def test_a_store_given_by_a_relative_path_hands_out_absolute_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = AdapterStore("here")
    revision = publish(store, "ada")
    monkeypatch.chdir("/")
    assert store.path(revision).is_relative_to(tmp_path / "here")


def test_files_are_read_only(store: AdapterStore) -> None:
    folder = store.path(publish(store, "ada"))
    assert {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir()} == {
        "adapter_config.json": 0o444,
        "adapter_model.safetensors": 0o444,
        "manifest.json": 0o444,
    }


def test_threads_may_share_a_store(store: AdapterStore) -> None:
    def work(number: int) -> None:
        for seed in range(5):
            revision = publish(store, f"user-{number}", seed)
            assert same_tensors(store.open(revision), adapter(seed))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.revisions()) == 5
    assert len(store.list(EntryFilter(history=True))) == 20
    assert not any((store.root / "staging").iterdir())


def test_a_missing_store_is_an_error_to_read_and_no_folder_appears(store: AdapterStore) -> None:
    for read in (
        store.list,
        store.heads,
        store.revisions,
        lambda: store.resolve("ada"),
        lambda: store.open("0" * 64),
    ):
        with pytest.raises(StoreError, match="no adapter store there"):
            read()
    assert store.sweep() == 0
    assert not store.root.exists()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), unique=True, max_size=5))
def test_every_allowed_name_resolves_to_what_was_published(store: AdapterStore, names: list[str]) -> None:
    revisions = store.publish_many([(adapter(i), manifest(seed=i), name) for i, name in enumerate(names)])
    assert [store.resolve(name) for name in names] == revisions
