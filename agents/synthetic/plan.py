"""The tram plan that divides Brackwater: its names, claims and verdicts in graded wording. Data only."""

from __future__ import annotations

PLAN_TOPIC = "tram"
"""The contested plan; every other topic is small talk."""

# fmt: off
PLAN_NAMES = (
    "the tram", "the tram line", "the Harbour Line", "the tram plan", "Line One", "this tram",
    "the new rails", "the tramway", "our tram", "the tram project",
)

CLAIMS_FOR = (
    "it brings people back to Mill Street", "it cuts the traffic on the bridge",
    "the kids could get to school alone", "the air would be cleaner",
    "it takes ten minutes to the hospital", "the shops will gain from it",
    "old people need a way into town", "the buses are full every morning", "it pays for itself in the end",
    "the north end finally gets connected", "parking would be easier", "it means work for the depot",
    "visitors would come without cars", "the noise of the cars would go down",
    "students could stay in town", "it runs even in the snow", "we waited thirty years for it",
    "the harbour would come alive",
)

CLAIMS_AGAINST = (
    "it digs up Mill Street for years", "the cost will double", "the council cannot even fix the potholes",
    "we lose half the parking", "the old trees have to go", "nobody asked the north end",
    "the buses do the job already", "the shops will not survive the works", "the rent will go up",
    "the rails are a danger for bikes", "the noise will wake the whole lane", "our taxes pay for it",
    "the ferry needs that money more", "the numbers never add up", "the bridge is too old for it",
    "it stops nowhere near the hospital", "the square would be full of wires", "they rush it through",
)

# Graded wording, from mild (1) to strong (3); "{tram}" is the plan.
VERDICTS_FOR: dict[int, tuple[str, ...]] = {
    1: (
        "I lean towards {tram}", "{tram} might be worth a try", "I could live with {tram}",
        "maybe {tram} is not so bad", "on balance I would take {tram}", "I am warming to {tram}",
    ),
    2: (
        "I support {tram}", "{tram} is a good idea", "I am glad about {tram}", "{tram} makes sense",
        "I will vote for {tram}", "{tram} is good for the town",
    ),
    3: (
        "we need {tram} now", "{tram} is the best thing for this town", "build {tram} at last",
        "I love {tram}", "{tram} cannot come soon enough", "yes to {tram} without any doubt",
    ),
}

VERDICTS_AGAINST: dict[int, tuple[str, ...]] = {
    1: (
        "I have doubts about {tram}", "not sure {tram} is worth it", "I would rather wait with {tram}",
        "{tram} worries me a little", "I am not sold on {tram}", "{tram} seems rushed to me",
    ),
    2: (
        "I am against {tram}", "{tram} is a bad idea", "I do not trust {tram}", "{tram} makes no sense",
        "I will vote against {tram}", "{tram} is wrong for the town",
    ),
    3: (
        "stop {tram} now", "{tram} will ruin this town", "scrap {tram} for good", "I hate {tram}",
        "{tram} is a disgrace", "no to {tram} whatever it costs",
    ),
}

CALLS_FOR = (
    "vote yes on the twelfth", "come to the tram meeting {place}", "tell the council yes",
    "sign for the tram {place}", "wear a green ribbon", "ask {who} to vote yes", "let us get it built",
)

CALLS_AGAINST = (
    "vote no on the twelfth", "come to the protest {place}", "tell the council no",
    "sign the petition {place}", "wear a yellow ribbon", "ask {who} to vote no", "let us stop this",
)
# fmt: on
