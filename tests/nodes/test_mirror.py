"""Mirroring: the person's own noun, and who is mourned."""

from knowledge.reply_parts import load_reply_parts
from nodes.mirror import TopicFinder

FINDER = TopicFinder(load_reply_parts().topics)

TOPICS: dict[str, str | None] = {
    "I failed my exam": "your exam",
    "MY MOTHER left": "your mother",
    "my mom and my dad are fighting": "your mom and your dad",
    "I hate the job": "the job",
    "my mom's sick again": "your mom",
    "my mom's house is cold": "your mom's house",
    "my friend's dog bit me": "your friend's dog",
    "I have a job interview on Friday": "the job interview",
    "My best friend lied": "your best friend",
    "my car keys are gone": None,
    "my boss's jokes hurt": None,
    "I don't have a job": None,
    "I want a promotion": None,
    "I can't sleep": "your sleep",
    "my anxiety is bad": "the anxiety",
    "It happened at school": "school",
    "It doesn't work": None,
    "oh my god it is bad": None,
    "I dropped it": None,
    "When dad left I was five": "your dad",
}

LOST: dict[str, str | None] = {
    "I failed my exam": "your exam",
    "MY MOTHER left": "your mother",
    "my mom and my dad are fighting": "your mom and your dad",
    "I hate the job": "the job",
    "my mom's sick again": "your mom",
    "my mom's house is cold": "your mom's house",
    "my friend's dog bit me": "your friend's dog",
    "I have a job interview on Friday": "the job interview",
    "My best friend lied": "your best friend",
    "my car keys are gone": None,
    "my boss's jokes hurt": None,
    "I don't have a job": None,
    "I want a promotion": None,
    "I can\u2019t sleep": "your sleep",
    "my anxiety is bad": "the anxiety",
    "It happened at school": "school",
    "It doesn't work": None,
    "oh my god it is bad": None,
    "I dropped it": None,
    "When dad left I was five": "your dad",
}

LOST: dict[str, str | None] = {
    "my grandma passed away": "your grandma",
    "I lost my dad": "your dad",
    "I lost my job": None,
    "I lost my girlfriend to him": None,
    "my mom won't eat since grandpa died": "your grandpa",
    "after the death of my wife": "your wife",
    "at my uncle's funeral": "your uncle",
    "we had to put our dog Max to sleep": "your dog",
    "my dog Max died": "your dog",
    "my nan, who was 90, passed away": None,
    "my son passed his exam": None,
    "my boyfriend helped to calm me down": None,
    "I let my family down": None,
    "I put my baby to sleep": None,
    "I put my mom through a lot": None,
    "I lost my mom's ring": None,
    "my friend told me that an actor died": None,
    "my husband was gone all night": None,
}


def test_topic_is_the_persons_own_noun() -> None:
    assert {text: FINDER.find(text) for text in TOPICS} == TOPICS


def test_only_who_died_is_mourned() -> None:
    assert {text: FINDER.find_lost(text) for text in LOST} == LOST
