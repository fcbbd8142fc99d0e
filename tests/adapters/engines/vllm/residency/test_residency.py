"""Residency: registered once, pinned while in use, unloaded late, adopted after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.bases.loader import Base
from adapters.engines.vllm.residency.residency import ZERO, ServerResidency
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.engines.vllm.residency.tiers import ServerTiers, Tier
from adapters.errors import AdapterError, StoreError, UnknownAdapterError
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.random_adapters import Shelf


class Registrar:
    """A server that knows names, and may be slow or refuse."""

    def __init__(self) -> None:
        self.names: dict[str, Path] = {}
        self.calls: list[tuple[str, str]] = []
        self.refuses: set[str] = set()

    async def load_adapter(self, name: str, path: Path) -> None:
        self.calls.append(("load", name))
        await asyncio.sleep(0.001)
        if "load" in self.refuses:
            raise AdapterError("the server refuses")
        assert name not in self.names, "vLLM answers 400: already loaded"
        assert (path / "adapter_config.json").exists()
        self.names[name] = path

    async def unload_adapter(self, name: str) -> None:
        self.calls.append(("unload", name))
        await asyncio.sleep(0.001)
        if "unload" in self.refuses:
            raise AdapterError("the server refuses")
        del self.names[name]


@pytest.fixture
def registrar() -> Registrar:
    return Registrar()


@pytest.fixture
def make(tmp_path: Path, base: Base, shelf: Shelf, registrar: Registrar) -> Callable[..., ServerResidency]:
    def residency(
        *, slots: int = 2, memory: int = 4, grace: float = 0.0, **changes: object
    ) -> ServerResidency:
        zero = zero_adapter(base.skeleton, LoraSpec())
        laid_out = AdapterShelf(tmp_path / "shelf", shelf, zero=zero, grace=grace)
        return ServerResidency(laid_out, registrar, ServerTiers(slots, memory), **changes)  # type: ignore[arg-type]

    return residency


async def use(residency: ServerResidency, *adapters: str) -> None:
    for adapter in adapters:
        async with residency.using(adapter):
            pass


def test_a_revision_is_registered_once_however_many_ask_at_once(make, registrar) -> None:
    async def work() -> None:
        residency = make()
        names = await asyncio.gather(*(residency.ensure("rev-0") for _ in range(10)))
        assert len(set(names)) == 1
        assert registrar.calls == [("load", names[0])]
        assert residency.registered == (names[0],)
        assert residency.tier("rev-0") is Tier.HOT
        assert residency.near() == ({"rev-0"}, {"rev-0"})

    asyncio.run(work())


def test_the_base_is_the_zero_adapter(make, registrar) -> None:
    """Trap 1: no request may go to the bare base."""

    async def work() -> None:
        async with make().using(ZERO) as name:
            assert name.startswith("zero-")
            assert list(registrar.names) == [name]

    asyncio.run(work())


def test_an_adapter_that_the_server_has_is_neither_exported_nor_unloaded(make, registrar, shelf) -> None:
    async def work() -> None:
        residency = make(served={"rev-0": "given", ZERO: "nothing"}, max_names=1)
        async with residency.using("rev-0") as name, residency.using(ZERO) as zero:
            assert (name, zero) == ("given", "nothing")
        await use(residency, "rev-1", "rev-2", "rev-0")
        await residency.settle()
        assert "given" not in {name for _, name in registrar.calls}
        assert "rev-0" not in shelf.opened

    asyncio.run(work())


def test_the_least_recently_used_name_makes_room_and_its_folder_goes_after_the_grace(make, registrar) -> None:
    async def work() -> None:
        residency = make(max_names=2)
        await use(residency, "rev-0", "rev-1", "rev-0", "rev-2")
        paths = dict(registrar.names)
        await residency.settle()
        kept = {await residency.ensure("rev-0"), await residency.ensure("rev-2")}
        assert set(residency.registered) == set(registrar.names) == kept
        assert [path.exists() for path in paths.values()].count(True) == 2
        await use(residency, "rev-1")  # exported and registered again
        await residency.settle()
        assert len(registrar.names) == 2

    asyncio.run(work())


def test_what_is_in_use_is_not_unloaded(make, registrar) -> None:
    async def work() -> None:
        residency = make(max_names=1)
        async with residency.using("rev-0") as name:
            await use(residency, "rev-1", "rev-2")
            await residency.settle()
            assert name in registrar.names
            assert residency.tiers.tier(name) is Tier.HOT
        await use(residency, "rev-1")
        await residency.settle()
        assert name not in registrar.names

    asyncio.run(work())


def test_a_name_wanted_while_it_is_unloaded_is_registered_again(make, registrar) -> None:
    async def work() -> None:
        residency = make(max_names=1)
        name = await residency.ensure("rev-0")
        async with residency.using("rev-1"):
            pass  # its end leaves rev-0 to be unloaded in the background
        async with residency.using("rev-0") as again:
            assert again == name
            assert name in registrar.names

    asyncio.run(work())


def test_a_failed_registration_is_told_to_everybody_and_tried_again(make, registrar) -> None:
    async def work() -> None:
        residency = make()
        registrar.refuses = {"load"}
        told = await asyncio.gather(*(residency.ensure("rev-0") for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in told] == ["the server refuses"] * 3
        assert residency.registered == ()
        registrar.refuses = set()
        await residency.ensure("rev-0")
        with pytest.raises(UnknownAdapterError, match="nobody"):
            await residency.ensure("nobody")

    asyncio.run(work())


def test_a_name_that_cannot_be_unloaded_stays_registered(make, registrar) -> None:
    async def work() -> None:
        residency = make(max_names=1)
        registrar.refuses = {"unload"}
        await use(residency, "rev-0", "rev-1")
        await residency.settle()
        assert set(residency.registered) == set(registrar.names)
        assert len(residency.registered) == 2
        await use(residency, "rev-0", "rev-1")  # still served, and not registered twice
        assert [call for call, _ in registrar.calls].count("load") == 2
        registrar.refuses = set()
        await use(residency, "rev-0")
        await residency.settle()
        assert len(registrar.names) == 1

    asyncio.run(work())


def test_a_next_run_adopts_what_is_registered_and_proves_its_folder(make, registrar) -> None:
    async def work() -> None:
        first = make()
        name = await first.ensure("rev-0")
        first.close()
        (registrar.names[name] / "adapter_config.json").unlink()
        second = make()
        second.adopt({**registrar.names, "somebody's": Path("/elsewhere")})
        assert second.registered == (name,)
        assert second.tier("rev-0") is Tier.COLD
        async with second.using("rev-0") as again:
            assert again == name
            assert (registrar.names[name] / "adapter_config.json").exists()
        assert [call for call, _ in registrar.calls] == ["load"]

    asyncio.run(work())


def test_a_server_started_anew_gets_its_names_again(make, registrar) -> None:
    async def work() -> None:
        residency = make()
        name = await residency.ensure("rev-0")
        registrar.names.clear()
        residency.forget(name)
        await use(residency, "rev-0")
        assert list(registrar.names) == [name]

    asyncio.run(work())


def test_prefetching_registers_while_a_slot_is_free_and_else_lays_out(make, registrar, shelf) -> None:
    async def work() -> None:
        residency = make(slots=3)
        async with residency.using("rev-0"), residency.using("rev-1"):
            for adapter in ("rev-2", "rev-2", "rev-3"):
                residency.prefetch(adapter)
                await asyncio.sleep(0)
            await residency.settle()
            assert len(registrar.names) == 3
            assert [residency.tier(name) for name in ("rev-2", "rev-3")] == [Tier.HOT, Tier.COLD]
            assert shelf.opened.count("rev-3") == 1
            async with residency.using("rev-2"):
                residency.prefetch("rev-3")
                residency.prefetch("rev-4")
                await residency.settle()
            assert len(registrar.names) == 3
            assert (shelf.opened.count("rev-3"), shelf.opened.count("rev-4")) == (1, 1)
            await use(residency, "rev-3", "rev-4")
            assert (shelf.opened.count("rev-3"), shelf.opened.count("rev-4")) == (1, 1)

    asyncio.run(work())


def test_requests_that_start_together_come_before_what_is_prefetched(make, registrar) -> None:
    """Nothing has run yet when a batch names what comes next: the slots are those requests' all the same."""

    async def work() -> None:
        residency = make(slots=2)
        asking = [asyncio.create_task(use(residency, adapter)) for adapter in ("rev-0", "rev-1")]
        for adapter in ("rev-2", "rev-3"):
            residency.prefetch(adapter)
        await asyncio.gather(*asking)
        assert [call for call, _ in registrar.calls] == ["load"] * 2

    asyncio.run(work())


def test_an_error_of_prefetching_comes_back_with_the_use(make) -> None:
    async def work() -> None:
        residency = make()
        residency.prefetch("nobody")
        await residency.settle()
        with pytest.raises(UnknownAdapterError):
            await residency.ensure("nobody")

    asyncio.run(work())


def test_it_goes_from_one_event_loop_to_the_next(make, registrar) -> None:
    residency = make(max_names=1)

    async def batch(*adapters: str) -> None:
        await use(residency, *adapters)
        await residency.settle()

    asyncio.run(batch("rev-0", "rev-1"))
    asyncio.run(batch("rev-1", "rev-0"))
    assert [call for call, _ in registrar.calls].count("load") == 3


def test_a_shelf_that_cannot_be_written_is_an_error_of_the_use(make, tmp_path: Path) -> None:
    (tmp_path / "shelf").write_text("a file where the folder should be")

    async def work() -> None:
        with pytest.raises(StoreError, match="shelf"):
            await make().ensure("rev-0")

    asyncio.run(work())


def test_no_room_for_any_name_is_refused(make) -> None:
    with pytest.raises(ValueError, match="max_names"):
        make(max_names=0)
