from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import BaseMismatchError
from adapters.store import AdaptersFor, AdapterStore, check_base
from adapters.store.handoff.transfer import ImportedBase
from tests.adapters.store.samples import FINGERPRINT, adapter, manifest


def test_the_same_files_under_another_name_are_the_same_base() -> None:
    check_base(manifest(), ImportedBase("a copy", FINGERPRINT))


def test_another_base_of_the_same_name_is_refused_with_both_fingerprints_and_the_cure() -> None:
    other = "0" * 64
    with pytest.raises(BaseMismatchError) as caught:
        check_base(manifest(), ImportedBase("tiny-moe", other))
    assert FINGERPRINT in str(caught.value)
    assert other in str(caught.value)
    assert "train the adapter again" in str(caught.value)


def test_a_reader_for_one_base_opens_its_adapters_and_refuses_others(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path)
    revision = store.publish(adapter(), manifest(), name="ada")
    assert AdaptersFor(ImportedBase("mine", FINGERPRINT), store).open(revision).spec == adapter().spec
    with pytest.raises(BaseMismatchError, match="train the adapter again"):
        AdaptersFor(ImportedBase("other", "0" * 64), store).open(revision)
