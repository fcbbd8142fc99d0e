"""The made-up town of Brackwater: places, times and people. Data only."""

from __future__ import annotations

# fmt: off
PLACES = (
    "on Mill Street", "by the harbour", "at the old mill", "behind the station", "on Quay Lane",
    "near the bridge", "at Fern Park", "on the square", "up on Gull Hill", "in the north end",
    "at the ferry stop", "by the canal", "on Cooper's Row", "next to the post office", "at the allotments",
    "down by the weir", "on Lantern Street", "by the lighthouse", "in the covered hall", "at the depot",
    "along the sea wall", "in the back lanes",
)

TIMES = (
    "this morning", "last night", "on Sunday", "this week", "after work", "before breakfast", "at lunch",
    "on Saturday", "yesterday", "all day", "this evening", "over the weekend", "around noon", "on Friday",
    "since Tuesday", "in the rain", "before school", "after dark",
)

FUTURE_TIMES = (
    "tomorrow", "tonight", "next week", "on Saturday", "this weekend", "on Friday", "after the rain",
    "before summer", "at six", "when the sun is out", "on Wednesday", "in the morning", "next month",
)

PEOPLE = (
    "my neighbour", "my sister", "the kids", "my uncle", "the ferry crew", "an old friend", "my boss",
    "grandma", "the new baker", "our postman", "my flatmate", "the choir", "two students", "my daughter",
    "the coach", "the librarian", "my dad", "the lads", "a tourist", "the twins next door",
)

JOBS = (
    "Baker", "Nurse", "Ferry pilot", "Teacher", "Retired welder", "Student", "Plumber", "Bookseller",
    "Clerk", "Florist", "Carpenter", "Cook", "Bus driver", "Vet", "Tailor", "Electrician", "Beekeeper",
    "Accountant", "Gardener", "Barber", "Potter", "Postman", "Dentist", "Shop owner", "Lifeguard",
    "Net maker", "Painter", "Archivist",
)

HOUSEHOLDS = (
    "lives {place}", "three kids", "two cats", "new in town", "born here", "lives alone {place}",
    "here since 2009", "back after ten years", "shares a flat {place}", "married {place}",
    "grew up {place}", "one daughter",
)
# fmt: on
