from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import interviewing
from sim.errors import InterviewError
from sim.interview.exchange import Answer, Exchange
from sim.interview.transcript import Transcript
from sim.people import gather
from sim.run_dir import RunDir
from tests.dashboards.conftest import OpenPage


def shown(app: AppTest) -> AppTest:
    assert not app.exception
    assert [box.value for box in app.error] == []
    return app


@pytest.fixture
def own_run(finished_run: RunDir, tmp_path: Path) -> RunDir:
    """A copy that a test may write to."""
    shutil.copytree(finished_run.path, tmp_path / "runs" / "scripted")
    return RunDir.open(tmp_path / "runs" / "scripted")


@pytest.mark.parametrize("part", ["overview", "words", "acts", "adapter", "interview"])
def test_every_part_of_the_page_opens_by_address(
    open_page: OpenPage, finished_run: RunDir, part: str
) -> None:
    person = finished_run.read_population(12).iloc[5]
    app = shown(open_page("agent", finished_run.path.parent, agent="5", cell="lora-n12-s1", show=part))
    assert app.subheader[0].value.replace("\\", "") == f"@{person['handle']}"
    assert any(person["persona"] in text.value for text in app.text)


def test_the_same_agent_is_compared_over_cells(open_page: OpenPage, finished_run: RunDir) -> None:
    app = shown(open_page("agent", finished_run.path.parent, agent="5"))
    assert app.dataframe[0].value["cell"].tolist() == [cell.key.id for cell in finished_run.cells()]


def _set_corpus(run: RunDir, sha256: str) -> None:
    manifest = json.loads(run.manifest_file.read_text("utf-8"))
    manifest["corpus"]["sha256"] = sha256
    run.manifest_file.write_text(json.dumps(manifest), "utf-8")


def test_training_posts_stand_beside_what_it_wrote(open_page: OpenPage, own_run: RunDir) -> None:
    _set_corpus(own_run, gather(own_run.scenario).corpus.digest)
    app = shown(open_page("agent", own_run.path.parent, agent="5", show="words"))
    assert [heading.value for heading in app.subheader][1:] == ["Trained on", "Wrote in lora\\-n12\\-s0"]
    learned = next(table.value for table in app.dataframe if "time" in table.value)
    assert len(learned) == own_run.scenario.population.train_posts
    assert any(learned["text"][0] in text.value for text in app.text)


def test_a_corpus_that_changed_is_told_and_all_else_is_shown(open_page: OpenPage, own_run: RunDir) -> None:
    _set_corpus(own_run, "0" * 64)
    app = shown(open_page("agent", own_run.path.parent, agent="5", show="words"))
    assert any("has changed since this run was made" in box.value for box in app.warning)
    assert app.subheader[-1].value.startswith("Wrote in")


def test_prompt_and_reply_of_the_last_act_are_shown_as_text(
    open_page: OpenPage, finished_run: RunDir
) -> None:
    last = finished_run.cells()[0].ledger.read().iloc[-1]
    app = shown(open_page("agent", finished_run.path.parent, agent=str(last["agent_id"]), show="acts"))
    texts = [text.value for text in app.text]
    assert last["prompt"] in texts
    assert last["reply"] in texts
    app.toggle[0].set_value(True).run()
    shown(app)


class _Scripted:
    """An interviewer without a process: it writes the transcript that the page then shows."""

    alive = True

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        if question["question"] == "refuse":
            raise InterviewError("not today")
        transcript = Transcript(self._run.path, question["session"] or "talk")
        transcript.make_room()
        said = "**bold** <b>html</b> ![i](http://203.0.113.7/x.png)"
        answers = tuple(
            Answer(v, None, f"{v}: {said}", "stop", "0" * 64, 1, 1, 0.0) for v in ("lora", "shared_base")
        )
        exchange = Exchange(len(transcript.read()) + 1, question["question"], 1, answers)
        scene = {"cell": question["cell"], "agent_id": int(question["agent"]), "step": question["step"]}
        style = {"form": question["form"]}
        transcript.append({**scene, "style": style, "also": list(question["also"])}, exchange)
        return {"session": transcript.session, "exchange": exchange.as_plain()}


@pytest.fixture
def scripted(own_run: RunDir, monkeypatch: pytest.MonkeyPatch) -> _Scripted:
    made = _Scripted(own_run)
    monkeypatch.setattr(interviewing, "interviewer", lambda run, store: made)
    monkeypatch.setattr(interviewing, "store_of", lambda run, stores: Path("store"))
    return made


def ask(app: AppTest, question: str) -> AppTest:
    app.text_input[0].set_value(question)
    return next(button for button in app.button if button.label == "Ask").click().run()


def test_an_interview_goes_turn_by_turn_and_is_in_the_address(
    open_page: OpenPage, own_run: RunDir, scripted: _Scripted
) -> None:
    app = shown(open_page("agent", own_run.path.parent, agent="5", show="interview"))
    assert any("toy" in box.value for box in app.warning)
    app.number_input[0].set_value(2).run()
    shown(ask(app, "Who **are** you?"))
    assert app.query_params["session"] in ("talk", ["talk"])
    shown(ask(app, "Why?"))
    assert [(q["session"], q["step"], q["form"]) for q in scripted.asked] == [
        (None, 2, "post"), ("talk", 2, "post"),
    ]  # fmt: skip
    answers = [text.value for text in app.text if "<b>html</b>" in text.value]
    assert len(answers) == 4
    assert any("1. Who \\*\\*are\\*\\* you" in heading.value for heading in app.markdown)


def test_what_the_interviewer_refuses_is_one_message(
    open_page: OpenPage, own_run: RunDir, scripted: _Scripted
) -> None:
    app = ask(open_page("agent", own_run.path.parent, agent="5", show="interview"), "refuse")
    assert not app.exception
    assert [box.value for box in app.error] == ["not today"]


def test_without_the_store_the_page_says_what_to_do(open_page: OpenPage, own_run: RunDir) -> None:
    app = ask(open_page("agent", own_run.path.parent, agent="5", show="interview"), "Well?")
    assert not app.exception
    assert "has this run" in app.error[0].value


def test_an_unknown_agent_in_the_address_is_told(open_page: OpenPage, finished_run: RunDir) -> None:
    app = shown(open_page("agent", finished_run.path.parent, agent="99"))
    assert any("99 is not here" in box.value for box in app.warning)
