"""A tiny random LLaMA that is saved to disk as any model is, and what watches it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graph.settings import Settings
from models.chat import ChatModel, load_chat

SECRET: Final = "w7"
TEMPLATE: Final = (
    "{{ '<s>' }}{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}"
)
MESSAGES: Final = [SystemMessage("w1"), HumanMessage("w2"), AIMessage("w3"), HumanMessage(SECRET)]


def build(folder: Path) -> Path:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<unk>", "system", "user", "assistant", *(f"w{i}" for i in range(58))]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    # As Llama's own: the tokenizer adds the first token, and so does the chat template.
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.chat_template = TEMPLATE
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=2048,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    # The end token is never drawn, so that the limit alone decides the length.
    model.generation_config.suppress_tokens = [0, 1, 2]
    # As Llama 3.1's generation_config.json: it samples unless told otherwise.
    model.generation_config.do_sample = True
    model.generation_config.top_p = 0.9
    model.generation_config.temperature = 0.6
    model.generation_config.max_length = 4096
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def load(folder: Path, **values: Any) -> ChatModel:
    model = load_chat(Settings(_env_file=None, **{"chat_model": str(folder)} | values))
    assert model is not None
    return model


def ask(
    model: ChatModel, limit: int = 12, temperature: float = 0, timeout: float = 30
) -> Iterator[str]:
    return model.stream(MESSAGES, max_new_tokens=limit, temperature=temperature, timeout=timeout)


class Passes:
    """Watches each forward pass: one makes one token."""

    def __init__(self, chat: ChatModel, pause: float = 0) -> None:
        self.inputs: list[list[int]] = []
        self.pause = pause
        network(chat).register_forward_pre_hook(self._before, with_kwargs=True)

    def _before(self, module: Any, args: Any, kwargs: Any) -> None:
        time.sleep(self.pause)
        self.inputs.append(kwargs["input_ids"][0].tolist())


def network(chat: ChatModel) -> Any:
    return chat.model.llm.pipeline.model  # type: ignore[attr-defined]


def tokenizer(chat: ChatModel) -> Any:
    return chat.model.tokenizer  # type: ignore[attr-defined]


def generating() -> bool:
    return any(thread.name == "generate" for thread in threading.enumerate())


def wait_for_end(seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while generating() and time.monotonic() < end:
        time.sleep(0.01)
    return not generating()
