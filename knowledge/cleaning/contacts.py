"""Patterns of contacts and of advertising in texts about mental health."""

from __future__ import annotations

import re
from typing import Final

MAIL: Final = re.compile(
    # Each starts where an address can: a long word is not tried from each of its letters.
    r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w.+-])[\w.+-]+\s*[\[(](?:at|AT)[\])]\s*[\w-]+(?:\s*(?:\.|[\[(](?:dot|DOT)[\])])\s*[\w-]+)+"
    # What Cloudflare leaves of an address in a saved page.
    r"|\[email\sprotected\]"
)

_PATH: Final = r"[^\s<>\"“”’)\]]*[^\s<>\"“”’)\].,;:!?]"
URL: Final = re.compile(
    rf"(?:[Hh][Tt][Tt][Pp][Ss]?://|[Ww][Ww][Ww]\.){_PATH}"
    # Endings that are also words ("in", "it", "me") would take sentences whose space was lost.
    r"|(?<![\w@.-])(?:[A-Za-z0-9][\w-]*\.)+(?:com|org|net|edu|gov|info|biz|ca|io|app|ie"
    rf"|(?:co|org|ac|nhs)\.uk|(?:com|org)\.au|org\.nz)(?![a-z])(?:/(?:{_PATH})?)?"
)

HINT: Final = re.compile(r"[@\d]|\w\.\w|://|\[e-?mail|[\[(](?:at|AT)[\])]|-[A-Z]")
"""What every contact has; most sentences have none of it."""

HANDLE: Final = re.compile(r"(?<![\w.@/])@[A-Za-z_][\w.]{1,28}\w")

ADDRESS: Final = re.compile(
    r"\b\d{1,5}\s+(?:[NSEW]\.?\s+)?(?:[A-Z][a-z]+\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|"
    r"Boulevard|Blvd|Drive|Lane|Ln|Court|Terrace|Parkway|Pkwy|Highway|Hwy)\b\.?"
    r"(?:,?\s+(?:Suite|Ste\.?|Apt\.?|Unit|Floor|#)\s*\w+)?(?:,\s*[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?"
    r"(?:,?\s+[A-Z]{2}\s+\d{5}(?:-\d{4})?)?"
    r"|\bP\.?\s?O\.?\s+[Bb]ox\s+\d+"
)

PHONE: Final = re.compile(
    # North America, with or without the signs between.
    r"(?<![\w/=.-])(?:\+?1[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[\s.–-]?)\d{3}[\s.–-]?\d{4}(?![\w-])"
    # With a country's prefix; with a leading zero; letters for digits.
    r"|(?<!\w)\+\d{1,3}(?:[\s().–-]{0,2}\d){6,13}(?!\w)"
    r"|(?<![\w.,-])0\d{2,4}[\s–-]\d{3,4}(?:[\s–-]\d{3,4})?(?![\w-])"
    r"|(?<!\w)(?:1[\s-])?8(?:00|33|44|55|66|77|88)[\s.-](?=[\dA-Z-]*[A-Z])[\dA-Z]+(?:-[\dA-Z]+)*(?!\w)"
    # Numbers of crisis lines that are shorter.
    r"|(?<!\w)#?(?:741[\s-]?741|116[\s-]?123|13[\s-]?11[\s-]?14|85258|686868)(?!\w)"
    r"|(?:(?<=call )|(?<=text )|(?<=dial )|(?<=calling )|(?<=texting )|(?<=Call )|(?<=Text )"
    r"|(?<=Dial )|(?<=to )|(?<=at )|(?<=or ))988(?!\w|[.,]\d|\s(?!or|and|to|at|if|any|in|for)[a-z])"
)
LIFELINE_NAME: Final = re.compile(r"(?<!\w)988\s+(?=(?:Suicide|Crisis|Lifeline|lifeline)\b)")
EMERGENCY: Final = re.compile(
    r"(?P<call>\b(?:call(?:ing|ed|s)?|dial(?:l?ing|ed|s)?|phone|ring|or|contact)\s+)(?:the\s+)?"
    r"(?:9-?1-?1|999|112)(?![\w-])",
    re.I,
)
CRISIS: Final = re.compile(
    r"\b(?:crisis|suicid\w*|life ?line|hot ?line|help ?line|emergency|danger|safe|unsafe|"
    r"(?:want(?:ing)? to|if you) die|kill\w*|hurt\w* yourself|harm\w* yourself|end\w* your life|"
    r"abuse|violence|samaritans|text line|support line|poison|overdose|trevor|988|"
    r"741[\s-]?741|116[\s-]?123|13[\s-]?11[\s-]?14)\b",
    re.I,
)
NAMED_LINE: Final = re.compile(
    r"\b(?:life ?line|hot ?line|help ?line|crisis line|crisis text line|text line)\b", re.I
)
CALL_CRISIS: Final = re.compile(
    r"(?P<call>\b(?:call|text|dial|ring|phone|calling|texting|dialing|contact|to)"
    rf"(?: (?:the|this) number)?)\s*:?\s*(?:{PHONE.pattern})"
    rf"(?:\s*(?:,|or|/|and)\s*(?:{PHONE.pattern}))*",
)

DANGLING: Final = re.compile(
    # What is left stands without its point.
    r"(?:\b(?:here|visit|see|check|check(?:ing)? (?:it |this |them |me |us )?out|click|going|go to|"
    r"links?|websites?|sites?|page|following|(?:find|read|learn) (?:it|them|this|more|out more)|"
    r"articles?|quiz|call|text|contact|at|in|on|to|via|through|by|and|or|from|with|is|are|called|"
    r"e-?mail|number|handle|follow|reach|reached|write|consider|try|consulthere|list)"
    r"|[:(])\s*[.,!?;:)]*\s*\Z"
    r"|\b(?:websites?|sites?|links?|number|address|page|line)(?: \w+){0,3} (?:is|are|at) a "
    r"(?:website|crisis line)"
    r"|\bvisit (?:my |our |their )?a website"
    r"|\A\W*(?:a website|a crisis line)\W*\Z"
    r"|\A\s*(?:call|phone|tel|telephone|e-?mail|web(?:site)?|fax)\b\W*\Z",
    re.I,
)

_PLACE: Final = r"(?-i:[A-Z])\w+"
_INVITING: Final = (
    r"(?:please|feel free(?: to)?|you(?:'re| are)? (?:can|may|could|always|also|want to|would like "
    r"to|welcome to)(?: also| always)?|(?:don't|do not|never) hesitate(?: to)?|happy to (?:have|"
    r"let) you)"
)
_THERAPIST: Final = (
    r"(?:psycho)?therapist|counsell?or|psychologist|social worker|(?:life |relationship )?coach|"
    r"clinician|psychiatrist"
)
ADVERT: Final = re.compile(
    rf"\b{_INVITING}\s+(?:also\s+)?(?:e-?mail|call|contact|text|message|write(?: to)?|reach"
    r"(?: out to)?|get in touch with|connect with|book with|work with)\s+(?:me|us)\b"
    r"(?! if| when| back)"
    r"|\breach out to (?:me|us) (?:at|by|via|through|for|any|if)\b"
    r"|\b(?:feel free|don't hesitate) (?:and |to )?contact (?:me|us)\b"
    r"|\bcontact (?:me|us) (?:in|sometime|at|via|through|any|by|for|with)\b"
    r"|\b(?:on|at|through|via|to|visit|see|consult|check out) (?:our|my(?: own)?) (?:web ?site|"
    r"blog|web ?page|profile|podcast|newsletter|(?:youtube|facebook) \w+|(?:office|practice) at)\b"
    r"|\bwe can get you set up\b|\bwe'?d love to talk with you\b|\blearn more about (?:me|us|my)\b"
    rf"|\bI(?:'m| am) (?:also )?(?:currently )?(?:licensed|certified|registered|located) in "
    rf"{_PLACE}"
    rf"|\bI(?:'m| am) an? (?:[\w-]+ ){{0,4}}(?:{_THERAPIST}),? (?:located |currently |based )?"
    rf"(?:in|at|with|from|serving|providing) {_PLACE}"
    r"|\bI(?:'m| am) an? licensed (?:[\w-]+ ){1,3}in \w+"
    r"|\bI (?:also )?(?:offer|provide) (?:a )?(?:free|complimentary|individual|online|tele\w+|"
    r"phone|video|skype|distance|coaching|couples)\b"
    r"|\b(?:book|schedule|set up) (?:an?|your) (?:free|complimentary|appointment with (?:me|us))\b"
    r"|\b(?:copy of|author of|chapter of|pick up|look at|written about \w+ in|in) my book,? "
    r"(?:called |titled |entitled )?[\"“]?(?-i:[A-Z])\w+"
    r"|\bsign up for my\b|\bfollow me on\b|\bsubscribe to my\b|\bgo to my website\b"
    r"|\bI specialize (?:in )?\w[^.!?]*\b(?:talk|meet|work) with you\b"
    r"|\bto (?:me|us) (?:directly )?(?:at|via|through) my (?:profile|website|page)\b",
    re.I,
)
"""A therapist speaks of the own practice: not data that may be offered to somebody else."""
