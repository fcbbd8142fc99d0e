"""Adapters on a real vLLM server of four slots: our model of it, and the traps that residency is built around."""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from adapters.bases.loader import Base, open_base
from adapters.engines.protocol import Sampling
from adapters.engines.vllm.client.bodies import generation
from adapters.engines.vllm.client.client import Endpoint, VllmClient
from adapters.engines.vllm.residency.admission import Admission
from adapters.engines.vllm.residency.residency import ZERO, ServerResidency
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.engines.vllm.residency.tiers import ServerTiers, Tier
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import ServerError
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.random_adapters import Shelf, random_adapter

pytestmark = pytest.mark.vllm

SLOTS, MEMORY = 4, 6
SETTINGS = ServerSettings(base="tiny-moe", max_loras=SLOTS, max_cpu_loras=MEMORY, context=1024)
REVISIONS = [f"rev-{i}" for i in range(10)]


class Keeper:
    """One small server whose log tells what its caches do; started again when a test has killed it."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self._environment, self.folder = environment, folder
        self._server: Server | None = None

    def server(self) -> Server:
        if self._server is None or not self._server.healthy():
            self.stop()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
                self._server = start_server(SETTINGS, self._environment, log=self.folder / "server.log")
        return self._server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()


@pytest.fixture(scope="module")
def keeper(vllm_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    keeper = Keeper(vllm_environment, tmp_path_factory.mktemp("small"))
    yield keeper
    keeper.stop()


@pytest.fixture(scope="module")
def tiny() -> Base:
    return open_base("tiny-moe")


@dataclass
class Bench:
    """One client of the server, with a shelf and a model of its own."""

    server: Server
    shelf: AdapterShelf
    client: VllmClient = field(init=False)
    residency: ServerResidency = field(init=False)

    def __post_init__(self) -> None:
        self.client = VllmClient(Endpoint(self.server.url, self.server.api_key), np.random.default_rng(0))
        self.residency = ServerResidency(self.shelf, self.client, ServerTiers(SLOTS, MEMORY))

    async def ask(self, revision: str, tokens: int = 2) -> None:
        async with self.residency.using(revision) as name:
            await self.answer(name, [5, 6, 7], tokens)

    async def answer(self, name: str, prompt: list[int], tokens: int) -> list[float]:
        """The log-probabilities of a greedy reply."""
        body = generation(name, prompt, Sampling(tokens, temperature=0), frozenset(), None)
        return (await self.client.complete(body)).choices[0].logprobs.token_logprobs

    def read(self, since: int) -> str:
        time.sleep(0.3)  # the log comes through a pipe
        with self.server.log.open("rb") as file:
            file.seek(since)
            return file.read().decode()

    @property
    def end_of_log(self) -> int:
        time.sleep(0.3)
        return self.server.log.stat().st_size


Run = Callable[[Callable[[Bench], Awaitable[None]]], None]


@pytest.fixture
def run(keeper: Keeper, tiny: Base, tmp_path: Path) -> Run:
    adapters = {name: random_adapter(tiny.skeleton, i) for i, name in enumerate(REVISIONS)}
    zero = zero_adapter(tiny.skeleton, LoraSpec())

    def run(work: Callable[[Bench], Awaitable[None]]) -> None:
        async def whole() -> None:
            bench = Bench(
                keeper.server(), AdapterShelf(tmp_path / "shelf", Shelf(adapters), zero=zero, grace=60)
            )
            try:
                await work(bench)
            finally:
                await bench.residency.settle()
                await bench.client.close()
                bench.residency.close()

        asyncio.run(whole())

    return run


def test_our_model_tells_what_is_hot_warm_and_cold(run: Run) -> None:
    """vLLM's debug log shows each adapter that is read (added) or put into a slot (activated)."""

    async def work(bench: Bench) -> None:
        for name in (*REVISIONS, ZERO):
            await bench.residency.ensure(name)
        rng = np.random.default_rng(1)
        for name in [REVISIONS[i] for i in rng.integers(0, len(REVISIONS), 16)] + [ZERO, ZERO]:
            expected, since = bench.residency.tier(name), bench.end_of_log
            await bench.ask(name)
            told = bench.read(since)
            read, activated = ("Adding lora" in told), ("Activating LoRA" in told)
            assert expected is (Tier.COLD if read else Tier.WARM if activated else Tier.HOT)

    run(work)


def test_registering_beside_full_slots_moves_every_slot_and_prefetching_does_not(run: Run) -> None:
    async def work(bench: Bench) -> None:
        await asyncio.gather(*(bench.ask(name) for name in REVISIONS[:SLOTS]))

        async def seen(act: Callable[[], Awaitable[None]]) -> int:
            """Slots that are filled while requests of four adapters run."""
            since = bench.end_of_log
            flying = [asyncio.create_task(bench.ask(name, 150)) for name in REVISIONS[:SLOTS]]
            await asyncio.sleep(0.5)
            await act()
            await asyncio.gather(*flying)
            return len(re.findall("Activating LoRA", bench.read(since)))

        async def prefetch() -> None:
            bench.residency.prefetch("rev-8")
            await bench.residency.settle()

        async def register() -> None:
            await bench.residency.ensure("rev-9")

        assert await seen(prefetch) == 0
        assert bench.shelf.has(bench.shelf.name("rev-8"))
        assert await seen(register) == 1 + SLOTS

    run(work)


def test_a_name_used_for_other_content_gives_wrong_answers_and_new_names_do_not(
    run: Run, tmp_path: Path
) -> None:
    """Trap 3: the prefix cache belongs to the name."""

    async def work(bench: Bench) -> None:
        prompt = np.random.default_rng(3).integers(5, 4000, 700).tolist()
        first, second = bench.shelf.place("rev-1"), bench.shelf.place("rev-2")
        again = tmp_path / "again"
        shutil.copytree(first.path, again)
        await bench.client.load_adapter("again", again)
        await bench.answer("again", prompt, 4)
        await bench.client.unload_adapter("again")
        shutil.rmtree(again)
        shutil.copytree(second.path, again)
        await bench.client.load_adapter("again", again)
        reused = await bench.answer("again", prompt, 4)
        async with bench.residency.using("rev-1") as name:
            await bench.answer(name, prompt, 4)
        async with bench.residency.using("rev-2") as name:
            ours = await bench.answer(name, prompt, 4)
        await bench.client.load_adapter("fresh", second.path)
        right = await bench.answer("fresh", prompt, 4)
        assert ours == pytest.approx(right, abs=1e-4)
        assert reused != pytest.approx(right, abs=0.05)

    run(work)


def test_a_rare_adapter_starves_under_vllms_own_scheduling_and_not_under_ours(run: Run) -> None:
    """Trap 5: four adapters always have requests running, a fifth asks once."""
    crowd, each = 80, 5

    async def before_the_rare(bench: Bench, admission: Admission) -> tuple[int, int]:
        """Requests that had started, and had ended, before its own; new ones come until `crowd` were asked."""
        lengths = np.random.default_rng(4).integers(4, 33, crowd + 2).tolist()
        asked: list[str] = []

        def offer(name: str) -> None:
            admission.offer(len(asked), name)
            asked.append(name)

        for name in REVISIONS[:SLOTS] * each:
            offer(name)
        running: dict[asyncio.Task[None], int] = {}
        started: list[str] = []
        ended: list[str] = []
        while "rev-9" not in ended:
            for key in admission.start():
                running[asyncio.create_task(bench.ask(asked[key], lengths[key]))] = key
                started.append(asked[key])
            if "rev-9" not in asked:
                await asyncio.sleep(0.2)
                offer("rev-9")
                continue
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                key = running.pop(task)
                admission.finish(key)
                ended.append(asked[key])
                if len(asked) <= crowd:
                    offer(asked[key])
        await asyncio.gather(*running)
        return started.index("rev-9"), ended.index("rev-9")

    async def work(bench: Bench) -> None:
        for name in (*REVISIONS[:SLOTS], "rev-9"):
            await bench.ask(name)
        _, greedy = await before_the_rare(bench, Admission(100, patience=math.inf))
        fair, _ = await before_the_rare(bench, Admission(SLOTS))
        assert (
            greedy > crowd - SLOTS
        )  # sent at once, and not begun before an adapter of the crowd had no more to ask
        house = SLOTS * each + 1
        assert fair <= (house - 1) + house  # those before it, and those that may overtake it

    run(work)


def test_a_folder_deleted_while_its_name_is_registered_kills_the_engine_and_ours_stay(run: Run) -> None:
    """Trap 4: unloading drops the name only, and requests on their way still read the folder."""

    async def work(bench: Bench) -> None:
        for name in REVISIONS:
            await bench.ask(name)
        assert bench.residency.tier("rev-0") is Tier.COLD
        placed = bench.shelf.place("rev-0")
        asking = asyncio.create_task(bench.ask("rev-0", 150))
        await asyncio.sleep(0.5)
        await bench.client.unload_adapter(placed.name)
        bench.residency.forget(placed.name)
        bench.shelf.retire(placed.name)
        assert bench.shelf.sweep() == []
        await asking
        await bench.ask("rev-0")
        for name in REVISIONS[1:]:
            await bench.ask(name)
        shutil.rmtree(bench.shelf.place("rev-0").path)
        with pytest.raises(ServerError):
            await bench.ask("rev-0")
        assert not bench.server.healthy()

    run(work)
