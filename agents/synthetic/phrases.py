"""Sentence frames by purpose, and how people answer. Data only; sentences.py fills the slots in braces.

A person prefers some purposes, and two frames of each.
"""

from __future__ import annotations

# fmt: off
FRAMES: dict[str, tuple[str, ...]] = {
    "news": (
        "{news}", "apparently {news}", "I heard {news}", "{who} says {news}", "looks like {news}",
        "word is {news}",
    ),
    "praise": (
        "found {thing} {place}, {very} {good}", "{good} day for {doing}", "nothing beats {thing}",
        "{thing} made my day", "I am {very} happy about {thing}", "{doing} is {very} {good}",
        "three cheers for {thing}", "how {good}, {thing}",
    ),
    "moan": (
        "{thing}, {very} {bad}", "{doing} again, {bad}", "I have had enough of {thing}",
        "{thing} {place}, {bad}", "no luck with {thing} {when}", "not again, {thing} {when}",
        "{doing} {when} was {very} {bad}",
    ),
    "doing": (
        "I was {doing} {when}", "hours of {doing} {when}", "{doing} {place} {when}", "still {doing}",
        "{who} and me, {doing} {place}", "busy {doing}", "caught {who} {doing}",
    ),
    "intent": (
        "{doing} {future}", "I will be {doing} {future}", "off to see {thing} {future}",
        "who is up for {doing} {future}", "planning on {doing} {future}",
        "can not wait for {thing} {future}",
    ),
    "advice": (
        "try {thing} {place}", "never go {doing} {when}", "you should see {thing} {place}",
        "ask {who} about {thing}", "if you like {doing} go {place}", "do not miss {thing} {future}",
    ),
    "memory": (
        "remember {thing} {place}", "I miss {doing} with {who}", "{who} once told me about {thing}",
        "years ago {who} loved {thing}", "as a kid I loved {doing} {place}",
    ),
}

PLAN_FRAMES: dict[str, tuple[str, ...]] = {
    "verdict": (
        "{verdict}", "{who} asked me and {verdict}", "I said it before, {verdict}",
        "after all that talk {verdict}", "my view is simple: {verdict}",
    ),
    "claim": (
        "{claim}", "with {tram} {claim}", "{who} says {claim}", "the truth is {claim}",
        "think of it: {claim}", "about {tram}: {claim}", "and {claim}",
    ),
}

AGREE = (
    "exactly", "well said", "so true", "I agree", "same here", "you are right", "thank you for this",
    "this", "my thoughts too", "spot on", "good point", "count me in",
)
DISAGREE = (
    "no way", "I disagree", "you are wrong", "sorry but no", "that is nonsense", "not true", "come on",
    "oh please", "I do not see it", "that is a myth", "really not", "bad take",
)
CHAT = (
    "tell me more about {thing}", "{thing}, {very} {good}", "I know, {news}", "ha, I was {doing} {when}",
    "say hello to {who}", "enjoy {thing}", "{very} {good} to hear", "we should go {doing} {future}",
    "{thing}, again", "who knew, {thing}", "sounds {bad} to me", "I love {doing}",
)
# fmt: on
