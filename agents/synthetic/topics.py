"""What Brackwater chats about when it does not argue about the tram. Data only.

Fragments are lower case and without final punctuation; dressing.py gives them the writer's looks. `{place}`,
`{when}` and `{who}` are filled by sentences.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Fragments for one subject of small talk.

    Args:
        things: noun phrases.
        doings: gerund phrases.
        news: clauses.
        questions: direct questions without the question mark.
    """

    things: tuple[str, ...]
    doings: tuple[str, ...]
    news: tuple[str, ...]
    questions: tuple[str, ...]


# fmt: off
TOPICS: dict[str, Topic] = {
    "bakery": Topic(
        (
            "the rye bread", "those cinnamon rolls", "the almond cake", "a warm pretzel", "the plum tart",
            "the sourdough", "the cheese scones", "the seed loaf",
        ),
        (
            "baking rye bread", "queueing for rolls", "kneading dough", "trying a new oven",
            "eating scones", "burning the crust", "icing a cake",
        ),
        (
            "the bakery {place} sold out of rolls", "{who} baked a plum tart",
            "the new oven {place} is running", "rye bread costs less {when}",
            "there is fresh bread {place}", "the baker gave {who} a free bun",
        ),
        (
            "who makes the best scones in town", "is the bakery open on Monday",
            "how long do you proof the dough", "does anyone have a starter to share",
        ),
    ),
    "weather": Topic(
        (
            "the fog", "this drizzle", "the north wind", "the sunshine", "the first frost", "the storm",
            "the heat", "the rainbow",
        ),
        (
            "waiting for the rain to stop", "drying my boots", "watching the storm", "scraping ice",
            "sitting in the sun", "losing an umbrella",
        ),
        (
            "fog sat {place} {when}", "the wind took a fence {place}", "it hailed {place} {when}",
            "the sun came out {place}", "there was frost {place} {when}", "a rainbow stood {place}",
        ),
        (
            "will it ever stop raining", "is it this windy on the hill too", "did you see that lightning",
            "where did the summer go",
        ),
    ),
    "football": Topic(
        (
            "the Otters", "that late goal", "our new keeper", "the away match", "the derby", "the referee",
            "the youth team", "a clean sheet",
        ),
        (
            "watching the Otters", "shouting at the referee", "training with the youth team",
            "standing in the rain for ninety minutes", "playing five a side", "washing the kit",
        ),
        (
            "the Otters won {when}", "the keeper saved two penalties {when}",
            "{who} scored for the youth team", "they are fixing the pitch {place}",
            "we lost the derby again", "the coach found a new striker",
        ),
        (
            "who is going to the away match", "was that really offside", "can anyone lend me boots",
            "when does the season start",
        ),
    ),
    "library": Topic(
        (
            "the reading room", "a crime novel", "the book sale", "that thick atlas", "the poetry shelf",
            "the night opening", "the quiet corner", "the old maps",
        ),
        (
            "reading by the window", "returning books late", "sorting the sale table",
            "starting a crime novel", "joining the book club", "looking at old maps",
        ),
        (
            "the library stays open late {when}", "{who} found a map from 1890",
            "the book sale {place} starts at ten", "the reading room has new lamps",
            "they moved the poetry shelf", "the book club met {place} {when}",
        ),
        (
            "what should I read next", "does the library lend puzzles", "who else is in the book club",
            "is there a waiting list for that novel",
        ),
    ),
    "dogs": Topic(
        (
            "my old dog", "the muddy paws", "a lost terrier", "the dog beach", "that spaniel",
            "the morning walk", "the chewed slipper", "her puppy",
        ),
        (
            "walking the dog", "throwing sticks", "brushing the dog", "chasing a terrier",
            "teaching the puppy to sit", "drying muddy paws",
        ),
        (
            "a terrier got lost {place}", "the dog ate {who}'s sandwich", "the puppy slept {when}",
            "there is a new dog run {place}", "my dog met a swan {place}", "{who} adopted a spaniel",
        ),
        (
            "has anyone seen a brown terrier", "which vet do you trust",
            "are dogs allowed at the beach now", "how do you stop a dog barking",
        ),
    ),
    "garden": Topic(
        (
            "the tomatoes", "my roses", "the compost heap", "the runner beans", "a giant pumpkin",
            "the apple tree", "the slugs", "the herb bed",
        ),
        (
            "planting beans", "fighting slugs", "pruning the apple tree", "watering tomatoes",
            "digging the herb bed", "swapping seeds", "mowing the lawn",
        ),
        (
            "the tomatoes ripened {when}", "slugs ate the lettuce {when}", "{who} grew a giant pumpkin",
            "there are free seeds {place}", "the roses bloom {place}", "a fox dug up the herb bed",
        ),
        (
            "how do I get rid of slugs", "who wants spare courgettes", "when do you plant beans",
            "is it too late for tulips",
        ),
    ),
    "music": Topic(
        (
            "the brass band", "open mic night", "the choir", "that fiddle player", "my old guitar",
            "the jazz trio", "the street piano", "a good chorus",
        ),
        (
            "practising the fiddle", "singing in the choir", "tuning my guitar",
            "listening to the jazz trio", "dancing at the barn", "learning a new song",
        ),
        (
            "the brass band played {place} {when}", "{who} sang at open mic night",
            "there is a street piano {place}", "the jazz trio is back {when}", "the choir needs tenors",
            "somebody played drums {when}",
        ),
        (
            "who is playing on Friday", "does anyone teach the fiddle", "what song is stuck in your head",
            "can I borrow an amp",
        ),
    ),
    "fishing": Topic(
        (
            "the mackerel", "a small trout", "the herring boats", "my best reel", "the morning tide",
            "that huge pike", "the crab pots", "the smokehouse",
        ),
        (
            "fishing off the pier", "mending nets", "cleaning mackerel", "waiting for a bite",
            "checking the crab pots", "smoking trout",
        ),
        (
            "the herring boats came in {when}", "{who} caught a pike {place}",
            "the mackerel are biting {place}", "the tide was low {when}", "two crabs escaped {place}",
            "the smokehouse opens {when}",
        ),
        (
            "what bait works for trout", "are the mackerel in yet", "who lost a net by the pier",
            "is the smokehouse open",
        ),
    ),
    "cycling": Topic(
        (
            "my new bike", "the hill climb", "a flat tyre", "the coast path", "the bike shop",
            "these headwinds", "the Sunday ride", "my squeaky brakes",
        ),
        (
            "cycling the coast path", "fixing a flat tyre", "climbing Gull Hill", "oiling the chain",
            "riding to the lighthouse", "looking for my pump",
        ),
        (
            "the bike shop {place} fixed my brakes", "{who} rode to the lighthouse",
            "there is glass on the path {place}", "the Sunday ride starts {place}",
            "someone left a bike {place}", "my chain snapped {place} {when}",
        ),
        (
            "who joins the Sunday ride", "where can I get a cheap helmet", "is the coast path dry",
            "how often do you oil a chain",
        ),
    ),
    "cinema": Topic(
        (
            "the old cinema", "that space film", "salty popcorn", "the matinee", "a silent film",
            "the back row", "the film club", "the ending",
        ),
        (
            "watching a silent film", "queueing for popcorn", "sitting in the back row",
            "arguing about the ending", "falling asleep at the matinee", "voting in the film club",
        ),
        (
            "the cinema shows a western {when}", "the projector broke {when}", "{who} cried at the ending",
            "the film club picked a comedy", "popcorn is half price {when}", "the matinee was full {when}",
        ),
        (
            "what is on at the cinema", "did you understand the ending", "who wants a spare ticket",
            "is the space film any good",
        ),
    ),
    "market": Topic(
        (
            "the cheese stall", "fresh figs", "the flea market", "a brass lamp", "the flower stand",
            "the honey man", "cheap cherries", "the spice stall",
        ),
        (
            "shopping at the market", "haggling over a lamp", "buying figs", "carrying flowers home",
            "tasting honey", "hunting for old records",
        ),
        (
            "the cheese stall is back {place}", "{who} bought a brass lamp", "cherries are cheap {when}",
            "the flea market moves {place}", "the honey man was there {when}",
            "there were long queues {place}",
        ),
        (
            "who sells good olives", "is the flea market on this week", "how much are the cherries",
            "where did the spice stall go",
        ),
    ),
    "cooking": Topic(
        (
            "my fish soup", "a pot of lentils", "the chilli", "grandma's stew", "roast potatoes",
            "the ginger biscuits", "an onion pie", "the leftover curry",
        ),
        (
            "cooking fish soup", "chopping onions", "stirring a stew", "burning the rice",
            "making onion pie", "testing a curry",
        ),
        (
            "the soup boiled over {when}", "{who} made onion pie", "the new cook {place} is good",
            "I put ginger in the stew", "there is a soup kitchen {place}", "the curry was too hot {when}",
        ),
        (
            "what goes with lentils", "how hot do you like your chilli", "can I freeze fish soup",
            "who has a good stew recipe",
        ),
    ),
    "school": Topic(
        (
            "the school fair", "the science club", "this homework", "the class trip", "the new teacher",
            "the school play", "the lunch hall", "a paper volcano",
        ),
        (
            "helping with homework", "painting the stage", "building a paper volcano",
            "running the cake stall", "walking the kids to school", "rehearsing the school play",
        ),
        (
            "the school fair is {place}", "{who} won the science prize", "the class trip went to the weir",
            "they painted the gym {when}", "the school play starts {when}", "the volcano exploded {when}",
        ),
        (
            "who can bake for the school fair", "when is the school play",
            "does anyone have spare costumes", "is homework harder these days",
        ),
    ),
    "harbour": Topic(
        (
            "the old ferry", "the seagulls", "a red sailing boat", "the sea wall", "the sunset",
            "the harbour lights", "that loud foghorn", "the seals",
        ),
        (
            "watching the boats", "painting a dinghy", "feeding the seagulls", "waiting for the ferry",
            "swimming off the steps", "counting seals",
        ),
        (
            "the ferry was late {when}", "a seal slept {place}", "{who} painted a dinghy red",
            "a gull stole my chips {place}", "they lit the lighthouse {when}", "the sunset was red {when}",
        ),
        (
            "is the water warm enough to swim", "when is the last ferry", "whose red boat is that",
            "did you see the seals",
        ),
    ),
    "museum": Topic(
        (
            "the clock museum", "the ship model", "a rusty anchor", "the new exhibit", "the guided tour",
            "that odd painting", "the whale bone", "the ticket desk",
        ),
        (
            "visiting the clock museum", "polishing an anchor", "guiding a tour", "drawing the ship model",
            "dusting old clocks", "listening to the sea stories",
        ),
        (
            "the museum {place} has a new exhibit", "{who} repaired a clock",
            "they found an anchor {place}", "entry is free {when}", "the tour starts {place}",
            "the whale bone came back {when}",
        ),
        (
            "is the museum free on Sunday", "who painted that odd thing", "can you touch the anchor",
            "when does the tour start",
        ),
    ),
}
# fmt: on
