"""What styles are made of: openers, closers, pet words, emoji, tags, spellings, marks. Data only."""

from __future__ import annotations

# fmt: off
OPENERS = (
    "honestly", "well", "ok so", "hello all", "right then", "fun fact", "listen", "news flash", "oh dear",
    "look", "morning all", "I swear", "not gonna lie", "update", "for the record", "hot take",
    "guess what", "good grief", "no joke", "today", "psst", "friends", "dear town", "quick one", "so",
    "anyway", "my word", "note to self", "believe me", "hmm", "wow", "yep", "attention", "small thing",
    "between us", "seriously", "howdy", "ahoy", "once again", "breaking", "confession", "blimey",
    "truth be told", "big day", "hear me out", "reminder", "question", "just saying", "top tip",
    "heads up",
)

CLOSERS = (
    "cheers", "that is all", "lol", "what a day", "you know", "mark my words", "end of story",
    "just my view", "love it", "sigh", "who knew", "think about it", "see you there", "no big deal",
    "happy days", "as always", "take care", "bless", "rant over", "haha", "never again", "good times",
    "so there", "I guess", "peace", "anyone else", "over and out", "go figure", "what else is new",
    "can you believe it", "life is good", "thank you", "xo", "old habits", "typical", "and breathe",
    "tell a friend", "fair enough", "imagine that", "back to work", "nuff said", "oh well", "carry on",
    "same as ever", "full stop", "any takers", "god help us", "tea time", "case closed", "until next time",
)

GOOD_WORDS = (
    "lovely", "brilliant", "great", "fantastic", "grand", "splendid", "sweet", "neat", "awesome", "superb",
    "decent", "magic", "ace", "wonderful", "top notch", "smashing", "glorious", "cracking", "delightful",
    "epic", "perfect", "charming", "stellar", "marvellous", "cosy", "wicked", "fab", "solid", "beautiful",
    "divine",
)

BAD_WORDS = (
    "awful", "grim", "dreadful", "rubbish", "sad", "terrible", "daft", "miserable", "annoying", "ghastly",
    "poor", "horrid", "lousy", "shabby", "gloomy", "bleak", "silly", "pathetic", "messy", "rotten",
    "painful", "tragic", "a shame", "a mess", "a joke", "dire", "nasty", "odd", "wretched", "hopeless",
)

INTENSIFIERS = (
    "very", "really", "so", "quite", "rather", "truly", "totally", "super", "properly", "absolutely",
    "pretty", "insanely", "deeply", "utterly", "kind of", "awfully", "mighty", "seriously", "terribly",
    "dead",
)

EMOJI = (
    "😂", "😍", "🙏", "🔥", "🎉", "😅", "👍", "🤔", "😎", "🌊", "🌞", "💚", "💛", "🙄",
    "😭", "✨", "🚋", "⚓", "🐶", "🌱", "🎶", "🚲", "☕", "🍞", "😡", "👏", "💪", "🤷",
    "👀", "😴", "🐟", "📚", "🎬", "🍀", "🥳", "😬", "❤️", "🧀", "🌧️", "⚽",
)

TAGS = (
    "brackwater life", "home town", "town talk", "harbour days", "just saying", "weekend mood",
    "small town", "our street", "morning view", "local news", "north end", "mill street", "sea air",
    "good vibes", "no filter", "daily dose", "old town", "simple things", "real talk", "community",
    "salt water", "town first", "gull hill", "rainy days", "slow living", "neighbours", "only here",
    "brackwater", "thoughts", "street life",
)

SPELLINGS: dict[str, dict[str, str]] = {
    "texting": {"you": "u", "your": "ur", "are": "r", "please": "pls"},
    "cuz": {"because": "cuz", "and": "n"},
    "ampersand": {"and": "&"},
    "with": {"with": "w/", "without": "w/o"},
    "tmrw": {"tomorrow": "tmrw", "tonight": "tonite", "morning": "mornin"},
    "tho": {"though": "tho", "through": "thru", "enough": "enuf"},
    "ppl": {"people": "ppl", "town": "twn", "street": "st"},
    "droppedg": {
        "walking": "walkin", "waiting": "waitin", "watching": "watchin", "baking": "bakin",
        "fishing": "fishin", "cooking": "cookin",
    },
    "american": {"neighbour": "neighbor", "harbour": "harbor", "practising": "practicing", "tyre": "tire"},
    "typos": {"the": "teh", "really": "realy", "their": "thier", "definitely": "definately"},
    "contract": {
        "I am": "I'm", "it is": "it's", "do not": "don't", "cannot": "can't", "is not": "isn't",
        "I will": "I'll", "let us": "let's",
    },
    "bareapos": {
        "I am": "im", "it is": "its", "do not": "dont", "cannot": "cant", "I will": "ill",
        "let us": "lets",
    },
}

END_MARKS = (".", "", "!", "!!", "...", "…", " .", "~", "!?", ".")
JOINS = (", ", ". ", " - ", "... ", "; ", " and ", " / ", "! ", " — ", ": ")
# fmt: on
