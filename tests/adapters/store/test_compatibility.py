from __future__ import annotations

import pytest

from adapters.errors import BaseMismatchError
from adapters.store import check_base
from adapters.store.transfer import ImportedBase
from tests.adapters.store.samples import FINGERPRINT, manifest


def test_the_same_files_under_another_name_are_the_same_base() -> None:
    check_base(manifest(), ImportedBase("a copy", FINGERPRINT))


def test_another_base_of_the_same_name_is_refused_with_both_fingerprints_and_the_cure() -> None:
    other = "0" * 64
    with pytest.raises(BaseMismatchError) as caught:
        check_base(manifest(), ImportedBase("tiny-moe", other))
    assert FINGERPRINT in str(caught.value)
    assert other in str(caught.value)
    assert "train the adapter again" in str(caught.value)
